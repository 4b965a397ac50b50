import type { Worker } from 'node:worker_threads';
import { startWorker } from '../../threads/worker-thread.ts';
import { memoryOf } from '../../threads/shared-memory.ts';
import { globalNorm } from './optimizer.ts';
import { addTo, applyUpdate, chunksOf, type Update } from './update-pass.ts';
import type { PoolTask, PoolMessage, SharedRange } from './update-chunk.ts';

/** Minimum number of elements that is worth waking up threads for. */
const MIN_SHARED_ELEMENTS = 2 ** 19;

/**
 * Thread pool for the optimizer's passes over memory, which does not block the event loop. Arrays outside shared memory
 * are processed on the calling thread. The results are the same for any number of threads.
 */
export class UpdatePool {
  private readonly workers: PoolWorker[] = [];
  /** Buffers that have been shared, and their indices in this list. */
  private readonly buffers: SharedArrayBuffer[] = [];
  private readonly ids = new Map<SharedArrayBuffer, number>();

  /** @param threads number of threads; with 1 everything runs on the calling thread */
  constructor(private readonly threads: number) {}

  /** L2 norm of all gradients together, bit-identical to `globalNorm`. */
  async norm(gradients: readonly Float32Array[]): Promise<number> {
    const lengths = gradients.map(({ length }) => length);
    const ranges = this.shared(gradients);
    if (ranges === undefined)
      return globalNorm(gradients.map((data) => ({ dtype: 'float32', shape: [data.length], data })));
    const chunks = chunksOf(lengths).length;
    const sums = new Float64Array(new SharedArrayBuffer(chunks * Float64Array.BYTES_PER_ELEMENT));
    await this.run({ kind: 'norm', arrays: ranges, sums, next: counter() });
    return Math.sqrt(sums.reduce((total, sum) => total + sum, 0));
  }

  /** Adds each array of `values` to the array of `sums` with the same index. */
  async add(sums: readonly Float32Array[], values: readonly Float32Array[]): Promise<void> {
    const ranges = this.shared([...sums, ...values]);
    if (ranges === undefined) sums.forEach((sum, index) => addTo(sum, values[index]!, 0, sum.length));
    else
      await this.run({
        kind: 'add',
        next: counter(),
        sums: ranges.slice(0, sums.length),
        values: ranges.slice(sums.length),
      });
  }

  /** Applies updates in place. */
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
    await this.run({
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
    await Promise.all(this.workers.splice(0).map((worker) => worker.end()));
  }

  /** Ranges of arrays in shared memory; undefined when threads would not help. */
  private shared(arrays: readonly Float32Array[]): SharedRange[] | undefined {
    const elements = arrays.reduce((sum, { length }) => sum + length, 0);
    if (this.threads <= 1 || elements < MIN_SHARED_ELEMENTS) return undefined;
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

  private async run(task: PoolTask): Promise<void> {
    while (this.workers.length < this.threads) this.workers.push(new PoolWorker());
    await Promise.all(this.workers.map((worker) => worker.run(task, this.buffers)));
  }
}

class PoolWorker {
  private readonly worker: Worker;
  /** Number of buffers that the thread has. */
  private known = 0;
  private waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor() {
    this.worker = startWorker(import.meta.url, './update-worker');
    this.worker.on('message', () => this.waiting?.resolve());
    this.worker.on('error', (error) => this.waiting?.reject(error));
    this.worker.on('exit', () => this.waiting?.reject(new Error('internal: an optimizer thread has ended')));
    this.worker.unref();
  }

  async run(task: PoolTask, buffers: readonly SharedArrayBuffer[]): Promise<void> {
    const added = buffers
      .slice(this.known)
      .map((buffer, index) => [this.known + index, memoryOf(buffer) ?? buffer] as const);
    this.known = buffers.length;
    // The thread keeps the process alive while it works, and only then.
    this.worker.ref();
    try {
      await new Promise<void>((resolve, reject) => {
        this.waiting = { resolve, reject };
        this.worker.postMessage({ added, task } satisfies PoolMessage);
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

/** Shared counter by which threads take chunks. */
const counter = (): Int32Array => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
