import { LRUCache } from 'lru-cache';
import { MdetrError, messageOf } from '../../errors.ts';
import type { LogEntry } from '../log.ts';
import type { InferenceRequest, WorkerSettings, WorkReport } from '../worker/messages.ts';
import type { Task } from './task.ts';
import { WorkerHandle, type OpenedWorker } from './worker-handle.ts';

/** Settings of a pool. */
export interface PoolSettings extends WorkerSettings {
  readonly workers: number;
}

/** Reports of a pool. */
export interface PoolEvents {
  readonly onLog: (entry: LogEntry) => void;
  /** A worker can take requests. */
  readonly onReady: () => void;
  readonly onMessage: (message: WorkReport) => void;
  /** A worker died; receives the requests that it had. */
  readonly onLost: (worker: PoolWorker) => void;
}

/** A worker of the pool. */
export interface PoolWorker {
  readonly index: number;
  handle: WorkerHandle;
  isReady: boolean;
  /** Requests that it has, by id. */
  readonly tasks: Map<number, Task>;
  /** When it last finished a request, or started one while idle. */
  sinceMs: number;
  /** Consecutive failed starts. */
  failures: number;
}

/** The worker that an image was sent to. */
interface ImageOwner {
  readonly worker: number;
  /** Whether it has answered a request about the image, so that it has its features unless they were dropped. */
  isEncoded: boolean;
}

/** Longest pause before a worker that cannot start is started again. */
const MAX_PAUSE_MS = 30_000;

/** Number of images whose worker is remembered. */
const MAX_IMAGES = 10_000;

/** Maximum difference of load at which a request goes to the worker that has its image. */
const AFFINITY = 4;

/** The inference processes. Dead ones are replaced. */
export class WorkerPool {
  private readonly workers: PoolWorker[] = [];
  /** Workers that have images, by model and digest. */
  private readonly images = new LRUCache<string, ImageOwner>({ max: MAX_IMAGES });
  private readonly timers = new Set<NodeJS.Timeout>();
  private startMs = 0;
  private isClosing = false;

  constructor(
    private readonly settings: PoolSettings,
    private readonly events: PoolEvents,
  ) {}

  /** Starts all workers. @throws {MdetrError} if one cannot open its models */
  async start(): Promise<OpenedWorker> {
    // The first one compiles the programs, which the others then find in the cache.
    const first = await this.add(0);
    await Promise.all(Array.from({ length: this.settings.workers - 1 }, (_, index) => this.add(index + 1)));
    return first;
  }

  /** Number of workers that can take requests. */
  get ready(): number {
    return this.workers.filter(({ isReady }) => isReady).length;
  }

  /** Expected time until a worker is ready: 0 if one is. */
  get restartMs(): number {
    return this.ready > 0 ? 0 : this.startMs;
  }

  /** Time that the workers have spent on their current batches. */
  spentMs(now: number): number {
    return this.workers
      .filter(({ tasks }) => tasks.size > 0)
      .reduce((sum, { sinceMs, tasks }) => {
        const costs = [...tasks.values()].reduce((all, { costMs }) => all + costMs, 0);
        return sum + Math.min(now - sinceMs, costs);
      }, 0);
  }

  /** Whether a worker has probably encoded the image of a request, or will have before it runs. */
  holds(request: InferenceRequest): boolean {
    return this.settings.imageCacheBytes > 0 && this.images.has(imageKey(request));
  }

  /** The worker that a request should go to; undefined if it has to wait. */
  workerFor(task: Task): PoolWorker | undefined {
    const isRetry = task.attempts > 0;
    const free = this.workers.filter(({ isReady, tasks }) => {
      if (!isReady) return false;
      if (isRetry) return tasks.size === 0;
      const [current] = tasks.values();
      return tasks.size < 2 * this.settings.batchSize && (current === undefined || current.attempts === 0);
    });
    const [least] = free.toSorted((a, b) => a.tasks.size - b.tasks.size);
    const imageOwner = this.images.get(imageKey(task.request))?.worker;
    const owner = free.find(({ index }) => index === imageOwner);
    return owner !== undefined && owner.tasks.size <= least!.tasks.size + AFFINITY ? owner : least;
  }

  assign(worker: PoolWorker, task: Task): void {
    if (worker.tasks.size === 0) worker.sinceMs = performance.now();
    worker.tasks.set(task.id, task);
    const key = imageKey(task.request);
    const known = this.images.get(key);
    const isOwner = known?.worker === worker.index;
    if (!isOwner) this.images.set(key, { worker: worker.index, isEncoded: false });
    // A message with an image takes as long as a caption of a small model.
    const hasFeatures = isOwner && known.isEncoded && this.settings.imageCacheBytes > 0;
    const request = { ...task.request, image: hasFeatures ? undefined : task.request.image };
    // A request that lost its worker has waited for that, and is answered in any case.
    const maxWaitMs = task.attempts === 0 ? task.maxWaitMs : Infinity;
    const limit = { acceptedMs: task.acceptedMs, maxWaitMs };
    worker.handle.send({ kind: 'run', id: task.id, request, limit });
    worker.handle.ref(true);
  }

  /** Sends the bytes of an image whose features the worker of a request has dropped. */
  sendImage(id: number): void {
    const worker = this.workerWith(id);
    if (worker === undefined) return;
    const { request } = worker.tasks.get(id)!;
    this.images.set(imageKey(request), { worker: worker.index, isEncoded: false });
    worker.handle.send({ kind: 'image', id, image: request.image });
  }

  /**
   * Removes a request from its worker; undefined if no worker has it, because it was canceled.
   *
   * @param isDone whether the worker has answered it
   */
  release(id: number, isDone = false): Task | undefined {
    const worker = this.workerWith(id);
    const task = worker?.tasks.get(id);
    if (worker === undefined || task === undefined) return undefined;
    const owner = isDone ? this.images.get(imageKey(task.request)) : undefined;
    if (owner?.worker === worker.index) owner.isEncoded = true;
    worker.tasks.delete(id);
    worker.sinceMs = performance.now();
    if (worker.tasks.size === 0) worker.handle.ref(false);
    return task;
  }

  cancel({ id }: Task): void {
    const worker = this.workerWith(id);
    if (worker === undefined) return;
    worker.handle.send({ kind: 'cancel', id });
    this.release(id);
  }

  async close(): Promise<void> {
    this.isClosing = true;
    this.timers.forEach((timer) => clearTimeout(timer));
    await Promise.all(this.workers.map(({ handle }) => handle.close()));
  }

  private workerWith(id: number): PoolWorker | undefined {
    return this.workers.find(({ tasks }) => tasks.has(id));
  }

  private async add(index: number): Promise<OpenedWorker> {
    const tasks = new Map<number, Task>();
    const worker: PoolWorker = { index, handle: this.launch(index), isReady: false, tasks, sinceMs: 0, failures: 0 };
    this.workers[index] = worker;
    return this.open(worker);
  }

  private launch(index: number): WorkerHandle {
    const { models, device, threads, cacheDir, batchSize, maxPixels, imageCacheBytes } = this.settings;
    const settings = { models, device, threads, cacheDir, batchSize, maxPixels, imageCacheBytes };
    return new WorkerHandle(settings, {
      onMessage: this.events.onMessage,
      onExit: (reason) => this.exited(index, reason),
    });
  }

  private async open(worker: PoolWorker): Promise<OpenedWorker> {
    const started = performance.now();
    const opened = await worker.handle.opened;
    this.startMs = performance.now() - started;
    worker.failures = 0;
    worker.isReady = true;
    worker.handle.ref(false);
    const { index, handle } = worker;
    this.events.onLog({ event: 'worker-ready', worker: index, pid: handle.pid, ms: Math.round(this.startMs) });
    this.events.onReady();
    return opened;
  }

  private exited(index: number, reason: string): void {
    const worker = this.workers[index];
    if (worker === undefined || this.isClosing) return;
    const wasReady = worker.isReady;
    worker.isReady = false;
    for (const [key, owner] of this.images.entries()) if (owner.worker === index) this.images.delete(key);
    this.events.onLog({ event: 'worker-exit', worker: index, reason, requests: worker.tasks.size });
    // A worker that never opened its models has no requests; `start` or `restart` gets its error.
    if (!wasReady) return;
    const lost = { ...worker, tasks: new Map(worker.tasks) };
    worker.tasks.clear();
    this.restart(worker);
    this.events.onLost(lost);
  }

  /** Replaces a dead worker, after a pause if it could not start before. */
  private restart(worker: PoolWorker): void {
    if (this.isClosing) return;
    worker.handle = this.launch(worker.index);
    this.open(worker).catch((error: unknown) => {
      worker.failures++;
      this.events.onLog({ event: 'worker-failed', worker: worker.index, message: failureText(error) });
      void worker.handle.close();
      const timer = setTimeout(
        () => {
          this.timers.delete(timer);
          this.restart(worker);
        },
        Math.min(MAX_PAUSE_MS, 500 * 2 ** worker.failures),
      );
      this.timers.add(timer);
    });
  }
}

const imageKey = ({ model, imageDigest }: InferenceRequest): string => `${model} ${imageDigest}`;

/** Logs an error of opening models: its message names files of the server, which clients must not see. */
const failureText = (error: unknown): string =>
  error instanceof MdetrError ? error.message : `internal: ${messageOf(error)}`;
