/** Started by a launcher of MPI: sums known values in several ways, and prints a digest of each sum, with the rank. */
import { NativeRuntime } from '../../src/engine/runtime/native/native-runtime.ts';
import { sumsOf } from './known-sums.ts';
import { ProcessGroup } from '../../src/train/parallel/mpi/process-group.ts';

const group = (await ProcessGroup.join())!;
// Both libraries are called through koffi, which is configured for the second one before it loads the first.
new NativeRuntime({ threads: 1 });
for (const line of await sumsOf(group.communicator)) process.stdout.write(`${group.rank} ${line}\n`);
await group.leave();
