import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { MdetrError } from '../../errors.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { restoredError } from '../../threads/thread-failure.ts';
import { startWorker } from '../../threads/worker-thread.ts';
import type { TrainConfig } from '../config/config.ts';
import { defaultWorkers } from '../data/batch-loader.ts';
import type { ReplicaMessage, ReplicaTask } from './replica-worker.ts';
import { batchesOfProcess } from './run-start.ts';
import { GroupEnded, makeSharedGroup, ThreadCommunicator } from '../parallel/thread-communicator.ts';
import { runTraining, type RunOptions, type RunSummary } from './training-run.ts';

/** Values that replicas sum at once: all gradients of a small network. */
const valuesPerRound = 2 ** 20;

/**
 * `runTraining` with the batches of every step shared by `config.replicas` copies of the network on threads of their own,
 * each on `config.threads` cores: small networks use many cores better so than by splitting every operation. The numbers
 * are those of one copy, but for the rounding of sums.
 *
 * @throws {MdetrError} as `runTraining`; and where a step's batches cannot be shared evenly
 */
export const runReplicas = async (
  config: TrainConfig,
  options: Omit<RunOptions, 'runtime' | 'communicator'>,
): Promise<RunSummary> => {
  const { replicas, device } = config;
  if (replicas === 1) {
    const { threads } = config;
    return runTraining(config, { ...options, runtime: await createRuntime({ device, ...(threads && { threads }) }) });
  }
  if (device !== 'cpu') throw new MdetrError(`replicas share the cores of "cpu"; "${device}" is used by one alone`);
  const group = makeSharedGroup(replicas, valuesPerRound);
  const communicator = new ThreadCommunicator(0, group);
  batchesOfProcess(config, communicator);
  const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / replicas));
  const workers = workersOfReplica(options.workers ?? config.num_workers ?? defaultWorkers(), replicas);
  const own = { ...config, threads };
  const { resume, startFrom } = options;
  const others = Array.from(
    { length: replicas - 1 },
    (_, index) => new Replica({ config: own, rank: index + 1, group, workers, resume: resume === true, startFrom }),
  );
  try {
    const runtime = await createRuntime({ threads, blocking: true });
    const run = runTraining(own, { ...options, workers, runtime, communicator });
    // What one replica fails of ends all others, too: told is what it was.
    run.catch(() => communicator.leave());
    const ends = await Promise.allSettled([run, ...others.map((replica) => replica.end)]);
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as Error] : []));
    const cause = failures.find((failure) => !(failure instanceof GroupEnded)) ?? failures[0];
    if (cause !== undefined) throw cause;
    return await run;
  } finally {
    await Promise.all(others.map((replica) => replica.stop()));
  }
};

/** Threads that make batches are counted for all replicas together, but each that has any has its own. */
const workersOfReplica = (workers: number, replicas: number): number =>
  workers === 0 ? 0 : Math.max(1, Math.floor(workers / replicas));

/** A copy of the network on another thread. */
class Replica {
  readonly end: Promise<void>;
  private readonly worker: Worker;

  constructor(task: ReplicaTask) {
    const communicator = new ThreadCommunicator(task.rank, task.group);
    this.worker = startWorker(import.meta.url, './replica-worker', { workerData: task });
    this.end = new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        communicator.leave();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      this.worker.on('message', (message: ReplicaMessage) => {
        if (message.kind === 'done') resolve();
        else fail(message.isGroupEnd ? new GroupEnded(message.failure.message) : restoredError(message.failure));
      });
      this.worker.on('error', fail);
      this.worker.on('exit', (code) => fail(new Error(`internal: a replica's thread ended with code ${code}`)));
    });
    // Told when the whole run ends.
    this.end.catch(() => undefined);
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}
