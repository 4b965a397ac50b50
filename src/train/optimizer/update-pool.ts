import type { Worker } from 'node:worker_threads';
import { startWorker } from '../../threads/worker-thread.ts';
import { memoryOf } from '../../threads/shared-memory.ts';
import { globalNorm } from './optimizer.ts';
import { addTo, applyUpdate, piecesOf, type Update } from './update-pass.ts';
import type { PoolTask, PoolMessage, SharedRange } from './update-chunk.ts';

/** Fewer elements are done before a thread has woken up. */
const worthwhile = 2 ** 19;

/**
 * Threads that share the optimiser's passes over memory, while the event loop turns. What is not in shared memory is done
 * on the calling thread; the numbers are the same either way, and for any number of threads.
 */
export class UpdatePool {
  private readonly members: PoolWorker[] = [];
  /** Every buffer that was shared, and its place in the list. */
  private readonly buffers: SharedArrayBuffer[] = [];
  private readonly ids = new Map<SharedArrayBuffer, number>();

  /** @param threads 1: all is done on the calling thread */
  constructor(private readonly threads: number) {}

  /** As `globalNorm`. */
  async norm(gradients: readonly Float32Array[]): Promise<number> {
    const lengths = gradients.map(({ length }) => length);
    const ranges = this.shared(gradients);
    if (ranges === undefined)
      return globalNorm(gradients.map((data) => ({ dtype: 'float32', shape: [data.length], data })));
    const pieces = piecesOf(lengths).length;
    const sums = new Float64Array(new SharedArrayBuffer(pieces * Float64Array.BYTES_PER_ELEMENT));
    await this.share({ kind: 'norm', arrays: ranges, sums, next: counter() });
    return Math.sqrt(sums.reduce((total, sum) => total + sum, 0));
  }

  /** Adds arrays to others of the same lengths, one by one. */
  async add(sums: readonly Float32Array[], values: readonly Float32Array[]): Promise<void> {
    const ranges = this.shared([...sums, ...values]);
    if (ranges === undefined) sums.forEach((sum, index) => addTo(sum, values[index]!, 0, sum.length));
    else
      await this.share({
        kind: 'add',
        next: counter(),
        sums: ranges.slice(0, sums.length),
        values: ranges.slice(sums.length),
      });
  }

  async apply(updates: readonly Update[]): Promise<void> {
    const arrays = updates.flatMap(({ values, gradient, first, second, average }) => [
      values,
      gradient,
      first,
      second,
      ...(average === undefined ? [] : [average]),
    ]);
    if (this.shared(arrays) === undefined) {
      for (const update of updates) applyUpdate(update, 0, update.values.length);
      return;
    }
    const range = (array: Float32Array): SharedRange => this.rangeOf(array)!;
    await this.share({
      kind: 'update',
      next: counter(),
      updates: updates.map((update) => ({
        ...update,
        values: range(update.values),
        gradient: range(update.gradient),
        first: range(update.first),
        second: range(update.second),
        average: update.average === undefined ? undefined : range(update.average),
      })),
    });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.splice(0).map((member) => member.end()));
  }

  /** The ranges of arrays that are worth sharing, or undefined. */
  private shared(arrays: readonly Float32Array[]): SharedRange[] | undefined {
    const elements = arrays.reduce((sum, { length }) => sum + length, 0);
    if (this.threads <= 1 || elements < worthwhile) return undefined;
    const ranges: SharedRange[] = [];
    for (const array of arrays) {
      const range = this.rangeOf(array);
      if (range === undefined) return undefined;
      ranges.push(range);
    }
    return ranges;
  }

  private rangeOf({ buffer, byteOffset, length }: Float32Array): SharedRange | undefined {
    if (!(buffer instanceof SharedArrayBuffer)) return undefined;
    let id = this.ids.get(buffer);
    if (id === undefined) {
      id = this.buffers.push(buffer) - 1;
      this.ids.set(buffer, id);
    }
    return { buffer: id, offset: byteOffset, length };
  }

  private async share(job: PoolTask): Promise<void> {
    while (this.members.length < this.threads) this.members.push(new PoolWorker());
    await Promise.all(this.members.map((member) => member.work(job, this.buffers)));
  }
}

class PoolWorker {
  private readonly worker: Worker;
  /** How many buffers it has. */
  private known = 0;
  private waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor() {
    this.worker = startWorker(import.meta.url, './update-worker');
    this.worker.on('message', () => this.waiting?.resolve());
    this.worker.on('error', (error) => this.waiting?.reject(error));
    this.worker.on('exit', () => this.waiting?.reject(new Error('internal: a thread of the optimiser has ended')));
    this.worker.unref();
  }

  async work(job: PoolTask, buffers: readonly SharedArrayBuffer[]): Promise<void> {
    const added = buffers
      .slice(this.known)
      .map((buffer, index) => [this.known + index, memoryOf(buffer) ?? buffer] as const);
    this.known = buffers.length;
    // A thread must not let the process end in the middle of its work, nor keep it alive without.
    this.worker.ref();
    try {
      await new Promise<void>((resolve, reject) => {
        this.waiting = { resolve, reject };
        this.worker.postMessage({ added, job } satisfies PoolMessage);
      });
    } finally {
      this.waiting = undefined;
      this.worker.unref();
    }
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}

/** The number that threads take pieces by. */
const counter = (): Int32Array => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
