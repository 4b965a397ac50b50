/** Prints the median seconds of an all-reduce for the bytes given as arguments; a process of bench/scale/measure.ts. */
import { ProcessGroup } from '../../src/train/parallel/mpi/process-group.ts';
import { median } from '../median.ts';

const group = (await ProcessGroup.join())!;
for (const bytes of process.argv.slice(2).map(Number)) {
  const values = new Float32Array(bytes / 4);
  const seconds: number[] = [];
  for (let round = -2; round < (bytes < 1e6 ? 50 : 7); round++) {
    await group.communicator.barrier();
    const began = performance.now();
    await group.communicator.allReduce(values);
    if (round >= 0) seconds.push((performance.now() - began) / 1000);
  }
  if (group.rank === 0) process.stdout.write(`seconds ${bytes} ${median(seconds)}\n`);
}
await group.leave();
