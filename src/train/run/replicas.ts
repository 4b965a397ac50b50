import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { MdetrError } from '../../errors.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { restoredError } from '../../threads/thread-failure.ts';
import { disableTelemetry } from '../../engine/runtime/node/telemetry.ts';
import { startWorker } from '../../threads/worker-thread.ts';
import type { TrainConfig } from '../config/config.ts';
import { defaultWorkers } from '../data/batch-loader.ts';
import type { ReplicaMessage, ReplicaTask } from './replica-worker.ts';
import { batchesOfProcess } from './run-data.ts';
import { ComposedCommunicator } from '../parallel/composed-communicator.ts';
import { GroupEnded } from '../parallel/group-ended.ts';
import type { ProcessGroup } from '../parallel/mpi/process-group.ts';
import { makeSharedGroup, ThreadCommunicator } from '../parallel/thread-communicator.ts';
import type { RunSummary } from './run-observer.ts';
import { trainProcess, type ProcessOptions } from './training-run.ts';

/** Options of `runReplicas`. */
export interface ReplicaOptions extends Omit<ProcessOptions, 'runtime' | 'communicator'> {
  /** Processes that share the batches of every step with this one; each has the same number of replicas. */
  readonly group?: Pick<ProcessGroup, 'rank' | 'size' | 'communicator' | 'cores' | 'localSize'> | undefined;
}

/** Values that replicas sum in one all-reduce round: all gradients of a small network. */
const VALUES_PER_ROUND = 2 ** 20;

/**
 * Trains one training stage with `config.replicas` copies of the network, each on a thread of its own with `config.threads`
 * cores, which share the batches of every step: small networks use many cores better this way than by splitting every
 * operation. The results are those of one copy, up to the rounding of sums.
 *
 * @throws {MdetrError} as `trainProcess`, and if there are more replicas than batches in a step
 */
export const runReplicas = async (
  config: TrainConfig,
  { group: processes, ...options }: ReplicaOptions,
): Promise<RunSummary> => {
  const { replicas, device } = config;
  const place = processes ?? { rank: 0, size: 1 };
  if (replicas === 1) {
    const threads = config.threads ?? processes?.cores;
    const workers =
      options.workers ?? config.num_workers ?? workersOfReplica(defaultWorkers(), processes?.localSize ?? 1);
    const { observer } = options;
    const runtime = await createRuntime({
      device,
      threads,
      strictDevice: config.strict_device,
      onPlacement: observer?.onPlacement,
    });
    const communicator = processes?.communicator;
    return trainProcess({ ...config, threads }, { ...options, workers, runtime, communicator });
  }
  if (device !== 'cpu') throw new MdetrError(`replicas share the cores of "cpu"; "${device}" allows one replica only`);
  const group = makeSharedGroup(replicas, VALUES_PER_ROUND);
  const threadsOfGroup = new ThreadCommunicator(0, group);
  const communicator =
    processes === undefined ? threadsOfGroup : new ComposedCommunicator(threadsOfGroup, place, processes.communicator);
  batchesOfProcess(config, communicator);
  const cores = processes?.cores ?? availableParallelism();
  const threads = config.threads ?? Math.max(1, Math.floor(cores / replicas));
  const workers = workersOfReplica(options.workers ?? config.num_workers ?? defaultWorkers(), replicas);
  const own = { ...config, threads };
  const { resume, startFrom } = options;
  const { rank, size } = place;
  const others = Array.from(
    { length: replicas - 1 },
    (_, index) =>
      new Replica({
        config: own,
        rank: index + 1,
        place: { rank, size },
        group,
        workers,
        resume: resume === true,
        startFrom,
        sharesValidation: options.sharesValidation === true,
      }),
  );
  try {
    const runtime = await createRuntime({ threads, blocking: true });
    const run = trainProcess(own, { ...options, workers, runtime, communicator });
    // If one replica fails, all stop and the original error is rethrown.
    run.catch(() => threadsOfGroup.leave());
    const ends = await Promise.allSettled([run, ...others.map((replica) => replica.end)]);
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as Error] : []));
    const cause = failures.find((failure) => !(failure instanceof GroupEnded)) ?? failures[0];
    if (cause !== undefined) throw cause;
    return await run;
  } finally {
    await Promise.all(others.map((replica) => replica.stop()));
  }
};

/** Threads that prepare batches: `workers` is the total of all replicas, and each replica has at least one. */
const workersOfReplica = (workers: number, replicas: number): number =>
  workers === 0 ? 0 : Math.max(1, Math.floor(workers / replicas));

/** A copy of the network on another thread. */
class Replica {
  readonly end: Promise<void>;
  private readonly worker: Worker;

  constructor(task: ReplicaTask) {
    const communicator = new ThreadCommunicator(task.rank, task.group);
    disableTelemetry();
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
    // The rejection is handled when the run ends.
    this.end.catch(() => undefined);
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}
