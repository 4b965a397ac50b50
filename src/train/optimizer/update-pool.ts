import type { Worker } from 'node:worker_threads';
import { startWorker } from '../../threads/worker-thread.ts';
import { memoryOf } from '../../threads/shared-memory.ts';
import { addTo, applyUpdate, chunksOf, sumsOfSquares, type Update } from './update-pass.ts';
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

  /** L2 norm of all gradients together, accumulated in double precision. */
  async norm(gradients: readonly Float32Array[]): Promise<number> {
    const { shared, own } = this.divided(gradients, (gradient) => [gradient]);
    const arrays = shared.map((array) => this.rangeOf(array));
    const chunks = chunksOf(arrays.map(({ length }) => length)).length;
    const sums = new Float64Array(new SharedArrayBuffer(chunks * Float64Array.BYTES_PER_ELEMENT));
    if (chunks > 0) await this.run({ kind: 'norm', arrays, sums, next: counter() });
    return Math.sqrt([...sums, ...sumsOfSquares(own)].reduce((total, sum) => total + sum, 0));
  }

  /** Adds each array of `values` to the array of `sums` with the same index. */
  async add(sums: readonly Float32Array[], values: readonly Float32Array[]): Promise<void> {
    const pairs = sums.map((sum, index) => [sum, values[index]!] as const);
    const { shared, own } = this.divided(pairs, (pair) => pair);
    for (const [sum, value] of own) addTo(sum, value, 0, sum.length);
    const rangesOf = (side: 0 | 1): SharedRange[] => shared.map((pair) => this.rangeOf(pair[side]));
    if (shared.length > 0) await this.run({ kind: 'add', next: counter(), sums: rangesOf(0), values: rangesOf(1) });
  }

  /** Applies updates in place. */
  async apply(updates: readonly Update[]): Promise<void> {
    const { shared, own } = this.divided(updates, ({ values, gradient, first, second, average }) =>
      average === undefined ? [values, gradient, first, second] : [values, gradient, first, second, average],
    );
    const ranges = shared.map((update) => ({
      ...update,
      values: this.rangeOf(update.values),
      gradient: this.rangeOf(update.gradient),
      first: this.rangeOf(update.first),
      second: this.rangeOf(update.second),
      average: update.average === undefined ? undefined : this.rangeOf(update.average),
    }));
    for (const update of own) applyUpdate(update, 0, update.values.length);
    if (ranges.length > 0) await this.run({ kind: 'update', next: counter(), updates: ranges });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.end()));
  }

  /** Divides work into that of the threads and that of the calling thread: what is not in shared memory, or all if it is little. */
  private divided<T>(
    items: readonly T[],
    arraysOf: (item: T) => readonly Float32Array[],
  ): { readonly shared: readonly T[]; readonly own: readonly T[] } {
    const elements = items.flatMap(arraysOf).reduce((sum, { length }) => sum + length, 0);
    if (this.threads <= 1 || elements < MIN_SHARED_ELEMENTS) return { shared: [], own: items };
    const isShared = (item: T): boolean => arraysOf(item).every(({ buffer }) => buffer instanceof SharedArrayBuffer);
    return { shared: items.filter(isShared), own: items.filter((item) => !isShared(item)) };
  }

  private rangeOf({ buffer, byteOffset, length }: Float32Array): SharedRange {
    const memory = buffer as SharedArrayBuffer;
    let id = this.ids.get(memory);
    if (id === undefined) {
      id = this.buffers.push(memory) - 1;
      this.ids.set(memory, id);
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
