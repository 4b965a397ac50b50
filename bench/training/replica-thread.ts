/** A replica beside the first one: the same number of steps with its share of the images, in a thread of its own. */
import { workerData } from 'node:worker_threads';
import { NativeRuntime } from '../../src/engine/runtime/native/native-runtime.ts';
import { ThreadCommunicator, type SharedGroup } from '../../src/train/parallel/thread-communicator.ts';
import { makeCase, type Size } from './cases.ts';

/** Task of a replica. */
export interface ReplicaWork {
  readonly size: Size;
  readonly isWhole: boolean;
  readonly threads: number;
  readonly steps: number;
  readonly rank: number;
  readonly group: SharedGroup;
}

const { size, isWhole, threads, steps, rank, group } = workerData as ReplicaWork;
const communicator = new ThreadCommunicator(rank, group);
const runtime = new NativeRuntime({ threads, blocking: true });
const replicas = communicator.size;
const { trainer, batches } = await makeCase(size, runtime, { threads, isWhole, communicator, replicas });
for (let step = 0; step < steps; step++) await trainer.step(batches[step % batches.length]!);
await trainer.dispose();
