/**
 * All-reduce of a training run under MPI, which adds in the order of ranks, beside a C program that calls MPI_Allreduce
 * (bench/all-reduce.c, built by mpicc): median times for 1 kB to 800 MB, and the ratio of their bandwidths. Processes of
 * one host exchange values through shared memory; `--messages` sends them by MPI, as between hosts.
 *
 *     npm run bench:all-reduce [-- --processes 2 --mpi openmpi --messages --precision bfloat16 --sizes 1000,32000,1000000 --turns 3]
 *
 * The two programs run in turns; each time is the median of its turns.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ProcessGroup } from '../src/train/parallel/mpi/process-group.ts';
import { MpiLauncher } from './launch.ts';
import { median } from './median.ts';

const { values: options } = parseArgs({
  options: {
    processes: { type: 'string', default: '2' },
    mpi: { type: 'string', default: '' },
    sizes: { type: 'string', default: '1000,4000,32000,256000,1000000,8000000,32000000,200000000,800000000' },
    precision: { type: 'string', default: 'float32' },
    messages: { type: 'boolean', default: false },
    turns: { type: 'string', default: '3' },
  },
});
const precision = options.precision === 'bfloat16' ? 'bfloat16' : 'float32';
const sizes = options.sizes.split(',').map(Number);

/** Prints "bytes milliseconds" for every size, as the C program does. */
const measure = async (group: ProcessGroup): Promise<void> => {
  for (const bytes of sizes) {
    const rounds = bytes < 1e6 ? 2000 : bytes < 1e8 ? 15 : 5;
    // Code for small sizes is compiled after thousands of calls.
    const warmUp = bytes < 1e6 ? 10 * rounds : 2;
    // Gradients are in shared memory.
    const values = new Float32Array(new SharedArrayBuffer(bytes));
    const times: number[] = [];
    for (let round = -warmUp; round < rounds; round++) {
      await group.communicator.barrier();
      const began = performance.now();
      await group.communicator.allReduce(values, precision);
      if (round >= 0) times.push(performance.now() - began);
    }
    // A process that begins later ends sooner: the mean over the processes counts.
    const mean = Float32Array.of(median(times) / group.size);
    await group.communicator.allReduce(mean);
    if (group.rank === 0) process.stdout.write(`${bytes} ${mean[0]!.toFixed(6)}\n`);
  }
  await group.leave();
};

/** Builds the C program, runs both under the launcher, and prints the table. */
const compare = (): void => {
  const launcher = new MpiLauncher(options.mpi);
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-bench-'));
  try {
    const program = join(folder, 'all-reduce');
    const source = fileURLToPath(new URL('all-reduce.c', import.meta.url));
    execFileSync(launcher.tool('mpicc'), ['-O2', '-o', program, source]);
    const env = options.messages ? { MDETR_MPI_SHARED_MEMORY: '0' } : {};
    const times = (...command: readonly string[]): Map<number, number> => {
      const lines = launcher.run(Number(options.processes), command, env).split('\n');
      return new Map(lines.map((line) => line.split(' ').map(Number) as [number, number]));
    };
    const settings = ['--sizes', options.sizes, '--precision', precision];
    const [c, own]: [Map<number, number>[], Map<number, number>[]] = [[], []];
    for (let turn = 0; turn < Number(options.turns); turn++) {
      c.push(times(program, ...sizes.map(String)));
      own.push(times(process.execPath, '--import', 'tsx', fileURLToPath(import.meta.url), ...settings));
    }
    console.log('      bytes   MPI_Allreduce, ms   mdetr, ms   bandwidth, ratio');
    for (const bytes of sizes) {
      const [expected, found] = [c, own].map((turns) => median(turns.map((turn) => turn.get(bytes)!))) as [
        number,
        number,
      ];
      console.log(
        `${String(bytes).padStart(11)}   ${expected.toFixed(4).padStart(17)}   ${found.toFixed(4).padStart(9)}   ${(expected / found).toFixed(2).padStart(16)}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const group = await ProcessGroup.join();
if (group === undefined) compare();
else await measure(group);
