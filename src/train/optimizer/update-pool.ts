import type { Worker } from 'node:worker_threads';
import { startWorker } from '../../threads/worker-thread.ts';
import { memoryOf } from '../../threads/shared-memory.ts';
import { encodeTask, type PoolTask } from './pool-task.ts';
import { counterOf, numbersOf, taskBytes, type PoolMessage } from './update-chunk.ts';
import { addTo, applyUpdate, chunksOf, sumsOfSquares, type Update } from './update-pass.ts';

/** Minimum number of elements that is worth waking up threads for. */
const MIN_SHARED_ELEMENTS = 2 ** 19;

/**
 * Thread pool for the optimizer's passes over memory, which does not block the event loop. Arrays outside shared memory
 * are processed on the calling thread, but for the rows of tables, which are few. The results are the same for any number of
 * threads. One pass runs at a time.
 */
export class UpdatePool {
  private readonly workers: PoolWorker[] = [];
  /** Buffers that have been shared, and their indices in this list. */
  private readonly buffers: SharedArrayBuffer[] = [];
  private readonly ids = new Map<SharedArrayBuffer, number>();
  private readonly taskMemory = new ReusedMemory();
  private readonly sumMemory = new ReusedMemory();
  private readonly rowMemory = new ReusedMemory();

  /** @param threads number of threads; with 1 everything runs on the calling thread */
  constructor(private readonly threads: number) {}

  /** L2 norm of all gradients together, accumulated in double precision. */
  async norm(gradients: readonly Float32Array[]): Promise<number> {
    const { shared: arrays, own } = this.divided(gradients, (gradient) => [gradient]);
    const chunks = chunksOf(arrays.map(({ length }) => length)).length;
    const sums = new Float64Array(this.sumMemory.atLeast(chunks * Float64Array.BYTES_PER_ELEMENT), 0, chunks);
    if (chunks > 0) await this.run({ kind: 'norm', arrays, sums });
    return Math.sqrt([...sums, ...sumsOfSquares(own)].reduce((total, sum) => total + sum, 0));
  }

  /** Adds each array of `values` to the array of `sums` with the same index. */
  async add(sums: readonly Float32Array[], values: readonly Float32Array[]): Promise<void> {
    const pairs = sums.map((sum, index) => [sum, values[index]!] as const);
    const { shared, own } = this.divided(pairs, (pair) => pair);
    for (const [sum, value] of own) addTo(sum, value, 0, sum.length);
    if (shared.length === 0) return;
    await this.run({ kind: 'add', sums: shared.map(([sum]) => sum), values: shared.map(([, value]) => value) });
  }

  /** Applies updates in place. */
  async apply(updates: readonly Update[]): Promise<void> {
    const { shared, own } = this.divided(updates, ({ values, gradient, rows, first, second, average }) => [
      ...(rows === undefined ? [values, gradient, first, second] : [values, first, second]),
      ...(average === undefined ? [] : [average]),
    ]);
    for (const update of own) applyUpdate(update, 0, update.values.length);
    if (shared.length > 0) await this.run({ kind: 'update', updates: this.withSharedRows(shared) });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.end()));
  }

  /** Divides work into that of the threads and that of the calling thread: what is not in shared memory, or all if it is little. */
  private divided<T>(
    items: readonly T[],
    arraysOf: (item: T) => readonly Float32Array[],
  ): { readonly shared: readonly T[]; readonly own: readonly T[] } {
    const [shared, own]: [T[], T[]] = [[], []];
    let elements = 0;
    for (const item of items) {
      const arrays = arraysOf(item);
      for (const { length } of arrays) elements += length;
      const isShared = arrays.every(({ buffer }) => buffer instanceof SharedArrayBuffer);
      (isShared ? shared : own).push(item);
    }
    return this.threads <= 1 || elements < MIN_SHARED_ELEMENTS ? { shared: [], own: items } : { shared, own };
  }

  /** Copies the gradients of tables to shared memory. */
  private withSharedRows(updates: readonly Update[]): readonly Update[] {
    const lengthOf = ({ rows, gradient }: Update): number => (rows === undefined ? 0 : rows.length + gradient.length);
    const elements = updates.reduce((sum, update) => sum + lengthOf(update), 0);
    const memory = this.rowMemory.atLeast(elements * Float32Array.BYTES_PER_ELEMENT);
    let offset = 0;
    return updates.map((update) => {
      if (update.rows === undefined) return update;
      const rows = new Int32Array(memory, offset, update.rows.length);
      const gradient = new Float32Array(memory, offset + rows.byteLength, update.gradient.length);
      offset += rows.byteLength + gradient.byteLength;
      rows.set(update.rows);
      gradient.set(update.gradient);
      return { ...update, rows, gradient };
    });
  }

  private readonly idOf = (buffer: SharedArrayBuffer): number => {
    let id = this.ids.get(buffer);
    if (id === undefined) {
      id = this.buffers.push(buffer) - 1;
      this.ids.set(buffer, id);
    }
    return id;
  };

  private async run(task: PoolTask): Promise<void> {
    const numbers = encodeTask(task, this.idOf);
    const memory = this.taskMemory.atLeast(taskBytes(numbers.length));
    numbersOf(memory).set(numbers);
    counterOf(memory)[0] = 0;
    const id = this.idOf(memory);
    while (this.workers.length < this.threads) this.workers.push(new PoolWorker());
    await Promise.all(this.workers.map((worker) => worker.run(id, this.buffers)));
  }
}

/** Shared memory that every pass writes anew. Threads get it once, unless it must grow. */
class ReusedMemory {
  private buffer = new SharedArrayBuffer(0);

  atLeast(bytes: number): SharedArrayBuffer {
    if (bytes > this.buffer.byteLength) this.buffer = new SharedArrayBuffer(2 * bytes);
    return this.buffer;
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

  async run(task: number, buffers: readonly SharedArrayBuffer[]): Promise<void> {
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
