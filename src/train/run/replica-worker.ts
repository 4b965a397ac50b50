import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { failureOf, type ThreadFailure } from '../../threads/thread-failure.ts';
import type { TrainConfig } from '../config/config.ts';
import { ComposedCommunicator } from '../parallel/composed-communicator.ts';
import { GroupEnded } from '../parallel/group-ended.ts';
import { ThreadCommunicator, type SharedGroup } from '../parallel/thread-communicator.ts';
import { trainProcess } from './training-run.ts';
import { validatorFor } from './validation.ts';

/** Task of a replica other than the first one, which writes the files and receives the stop signal. */
export interface ReplicaTask {
  readonly config: TrainConfig;
  readonly rank: number;
  /** Place of the process among those of a launcher. */
  readonly place: { readonly rank: number; readonly size: number };
  readonly group: SharedGroup;
  readonly workers: number;
  readonly resume: boolean;
  readonly startFrom: string | undefined;
  readonly sharesValidation: boolean;
}

/** Messages of a replica to the first one. */
export type ReplicaMessage =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly failure: ThreadFailure; readonly isGroupEnd: boolean };

const runReplica = async (port: MessagePort): Promise<void> => {
  const tell = (message: ReplicaMessage): void => port.postMessage(message);
  const { config, rank, place, group, workers, resume, startFrom, sharesValidation } = workerData as ReplicaTask;
  const threads = new ThreadCommunicator(rank, group);
  const communicator = place.size === 1 ? threads : new ComposedCommunicator(threads, place, undefined);
  try {
    const runtime = await createRuntime({ blocking: true, threads: config.threads });
    // The first process reports for all.
    const validate = sharesValidation
      ? validatorFor(config, { onProgress: () => undefined, onNote: () => undefined })
      : undefined;
    await trainProcess(config, { runtime, communicator, workers, resume, startFrom, validate, sharesValidation });
    tell({ kind: 'done' });
  } catch (error) {
    threads.leave();
    tell({ kind: 'failed', failure: failureOf(error), isGroupEnd: error instanceof GroupEnded });
  }
};

if (parentPort !== null) void runReplica(parentPort);
