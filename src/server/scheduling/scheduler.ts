import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { LogEntry } from '../log.ts';
import { Problem, retryAfter } from '../problems.ts';
import { sharedClockMs } from '../worker/clock.ts';
import type { BatchReport, Done, InferenceRequest, ModelDescription, WorkReport } from '../worker/messages.ts';
import { CostEstimate } from './cost-estimate.ts';
import { ExtraTime } from './extra-time.ts';
import type { Outcome, Task } from './task.ts';
import { WorkerPool, type PoolSettings, type PoolWorker } from './worker-pool.ts';

/** How many requests that crashed two workers are remembered, and for how long. */
const MAX_REMEMBERED = 1000;
const REMEMBERED_MS = 10 * 60_000;

/** Settings of a scheduler. */
export interface SchedulerSettings extends PoolSettings {
  /** Limit of the expected wait in seconds; by default a multiple of the measured time of one request. */
  readonly queueS?: number | undefined;
  /** Default of that limit, as a multiple of the measured time of one request. */
  readonly queueFactor: number;
  /** Maximum number of requests that wait or run. */
  readonly maxQueue: number;
}

/** Why a request is refused while the server is busy. */
export interface Overload {
  readonly detail: string;
  /** Time after which it may be sent again. */
  readonly retryMs: number;
}

/** The error for a request that is refused while the server is busy. */
export const overloadProblem = ({ detail, retryMs }: Overload): Problem =>
  new Problem('overloaded', detail, { headers: retryAfter(retryMs) });

/** Callbacks for metrics. */
export interface SchedulerObserver {
  readonly onLog: (entry: LogEntry) => void;
  readonly onBatch: (batch: BatchReport) => void;
  /** A request waited for other ones, and then ran or was given up. */
  readonly onWait: (ms: number, isExpired: boolean) => void;
  readonly onWorkerExit: () => void;
}

/**
 * Decides which requests are accepted, and hands them to workers, which batch them. A request whose worker dies is tried
 * once more, alone in a worker, so that a request that kills workers is distinguished from the others in its batch.
 */
export class Scheduler {
  private readonly pool: WorkerPool;
  private readonly queue: Task[] = [];
  private readonly tasks = new Set<Task>();
  private readonly estimates = new Map<string, CostEstimate>();
  private readonly killers = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS });
  private readonly extra = new ExtraTime();
  /** Expected time of all tasks. */
  private costMs = 0;
  private nextId = 0;
  private onEmpty: (() => void) | undefined;

  constructor(
    private readonly settings: SchedulerSettings,
    private readonly observer: SchedulerObserver,
  ) {
    this.pool = new WorkerPool(settings, {
      onLog: observer.onLog,
      onReady: () => this.dispatch(),
      onMessage: (message) => this.receive(message),
      onLost: (lost) => this.recover(lost),
    });
  }

  /** Starts the workers. @throws {MdetrError} if a model cannot be opened */
  async start(): Promise<readonly ModelDescription[]> {
    const { models, times } = await this.pool.start();
    models.forEach(({ name }, index) => this.estimates.set(name, new CostEstimate(times[index]!)));
    return models;
  }

  /** Number of requests that wait or run. */
  get length(): number {
    return this.tasks.size;
  }

  get workersReady(): number {
    return this.pool.ready;
  }

  /** Why a request would be refused now, before its body is read; undefined if it would be accepted. */
  overload(): Overload | undefined {
    return this.overloadAfter(this.workAheadMs(), this.queueLimitMs());
  }

  private overloadAfter(aheadMs: number, limitMs: number): Overload | undefined {
    const waitMs = this.waitAfter(aheadMs);
    if (this.tasks.size >= this.settings.maxQueue)
      return { detail: `${this.tasks.size} requests are waiting; try again later`, retryMs: waitMs };
    if (this.tasks.size === 0 || waitMs <= limitMs) return undefined;
    return {
      detail: `the expected wait is ${seconds(waitMs)} s, above the limit of ${seconds(limitMs)} s; try again later`,
      retryMs: waitMs - limitMs,
    };
  }

  /**
   * Runs a request.
   *
   * @param signal cancels it
   * @throws {Problem} if it is refused or fails; the reason of `signal` once that is aborted
   */
  submit(request: InferenceRequest, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    if (this.killers.size > 0 && this.killers.has(fingerprintOf(request)))
      throw new Problem('crashes-worker', 'the same request crashed two workers; it is refused for a while');
    const aheadMs = this.workAheadMs();
    const maxWaitMs = this.queueLimitMs(request.model);
    const overload = this.overloadAfter(aheadMs, maxWaitMs);
    if (overload !== undefined) throw overloadProblem(overload);
    const isCached = this.pool.holds(request);
    const costMs = this.estimates.get(request.model)!.of(request.texts.length, isCached);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.cancel(task);
        settle(() => reject(signal.reason as Error));
      };
      const settle = (how: () => void): void => {
        signal.removeEventListener('abort', giveUp);
        how();
      };
      const task: Task = {
        id: this.nextId++,
        request,
        costMs,
        aheadMs,
        attempts: 0,
        isGivenUp: false,
        acceptedMs: sharedClockMs(),
        // A request that finds no other is answered, however long a busy machine takes for it.
        maxWaitMs: this.tasks.size === 0 ? Infinity : maxWaitMs,
        resolve: (outcome) => settle(() => resolve(outcome)),
        reject: (error) => settle(() => reject(error)),
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.tasks.add(task);
      this.costMs += costMs;
      this.queue.push(task);
      this.dispatch();
    });
  }

  /** Finishes the accepted requests, and ends the workers. */
  async close(): Promise<void> {
    if (this.tasks.size > 0) await new Promise<void>((resolve) => (this.onEmpty = resolve));
    await this.pool.close();
  }

  /** Time until the accepted work is done, from the measured times and from how much longer requests took lately. */
  expectedWaitMs(): number {
    return this.waitAfter(this.workAheadMs());
  }

  private waitAfter(aheadMs: number): number {
    return aheadMs + this.extra.ms + this.pool.restartMs;
  }

  /** Measured time of the work that was accepted and is not done. */
  private workAheadMs(): number {
    return Math.max(0, this.costMs - this.pool.spentMs(performance.now())) / Math.max(1, this.pool.ready);
  }

  /** Expected wait above which requests are refused; without a model name, that of the slowest model. */
  queueLimitMs(model?: string): number {
    if (this.settings.queueS !== undefined) return this.settings.queueS * 1000;
    const estimate = model === undefined ? undefined : this.estimates.get(model);
    const ones = estimate === undefined ? [...this.estimates.values()].map(({ ofOne }) => ofOne) : [estimate.ofOne];
    return this.settings.queueFactor * Math.max(0, ...ones);
  }

  /** Hands waiting requests to workers. Retried ones come first, and each gets a worker of its own. */
  private dispatch(): void {
    while (this.queue.length > 0) {
      const [task] = this.queue as [Task];
      const worker = this.pool.workerFor(task);
      if (worker === undefined) return;
      this.queue.shift();
      this.pool.assign(worker, task);
    }
  }

  private receive(message: WorkReport): void {
    if (message.kind === 'batch') {
      message.done.forEach((done) => this.complete(done));
      this.estimates.get(message.model)?.add(message.times, message);
      this.observer.onBatch(message);
      this.dispatch();
      return;
    }
    if (message.kind === 'missing-image') {
      this.pool.sendImage(message.id);
      return;
    }
    const task = this.pool.release(message.id);
    if (task === undefined) return;
    if (message.kind === 'expired') {
      this.learn(task);
      this.observer.onWait(message.waitMs, true);
      const detail = `the request waited ${seconds(message.waitMs)} s, longer than the limit of ${seconds(task.maxWaitMs)} s; try again later`;
      task.reject(overloadProblem({ detail, retryMs: this.expectedWaitMs() }));
    } else {
      const cause =
        message.stack === undefined ? undefined : Object.assign(new Error(message.detail), { stack: message.stack });
      task.reject(new Problem(message.problem, message.detail, { cause }));
    }
    this.finish(task);
    this.dispatch();
  }

  private complete({ id, results, batch, isCached, timing }: Done): void {
    const task = this.pool.release(id, true);
    if (task === undefined) return;
    this.learn(task);
    this.observer.onWait(timing.waitMs, false);
    task.resolve({ results, batch, isCached, timing });
    this.finish(task);
  }

  /** Learns from the time of a request, unless its worker was replaced, which says nothing about the queue. */
  private learn({ request, attempts, aheadMs, costMs, acceptedMs }: Task): void {
    if (attempts > 0) return;
    const { ofOne } = this.estimates.get(request.model)!;
    this.extra.add(sharedClockMs() - acceptedMs - aheadMs - Math.max(costMs, ofOne), ofOne);
  }

  private finish(task: Task): void {
    if (this.tasks.delete(task)) this.costMs -= task.costMs;
    if (this.tasks.size > 0) return;
    // No rounding of the sum is left over.
    this.costMs = 0;
    this.onEmpty?.();
  }

  private cancel(task: Task): void {
    task.isGivenUp = true;
    this.pool.cancel(task);
    const index = this.queue.indexOf(task);
    if (index >= 0) this.queue.splice(index, 1);
    this.finish(task);
  }

  /** Tries the requests of a dead worker again, at the head of the queue. */
  private recover(worker: PoolWorker): void {
    this.observer.onWorkerExit();
    const again: Task[] = [];
    for (const task of worker.tasks.values()) {
      if (task.isGivenUp) continue;
      task.attempts++;
      if (task.attempts === 1) again.push(task);
      else {
        this.killers.set(fingerprintOf(task.request), true);
        task.reject(new Problem('worker-crashed', 'the worker crashed, and another one on the second try'));
        this.finish(task);
      }
    }
    this.queue.unshift(...again);
    this.dispatch();
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

/** Digest of everything that a request computes. */
const fingerprintOf = ({ task, model, texts, options, imageDigest }: InferenceRequest): string =>
  createHash('sha256')
    .update(JSON.stringify([task, model, texts, options, imageDigest]))
    .digest('base64');
