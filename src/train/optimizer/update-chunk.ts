import { addTo, applyUpdate, chunksOf, sumOfSquares, type Update } from './update-pass.ts';

/** An array in shared memory, in a form that can be sent to other threads. */
export interface SharedRange {
  /** Index of the buffer. */
  readonly buffer: number;
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
}

type Ranges = 'values' | 'gradient' | 'first' | 'second' | 'average';

/** An update of arrays in shared memory. */
export type SharedUpdate = Omit<Update, Ranges> & {
  readonly [K in Exclude<Ranges, 'average'>]: SharedRange;
} & { readonly average: SharedRange | undefined };

/** Work that is divided among threads. */
export type PoolTask = {
  /** One element: index of the next chunk that no thread has taken. */
  readonly next: Int32Array;
} & (
  | {
      readonly kind: 'norm';
      readonly arrays: readonly SharedRange[];
      /** One for each chunk. */
      readonly sums: Float64Array;
    }
  | { readonly kind: 'add'; readonly sums: readonly SharedRange[]; readonly values: readonly SharedRange[] }
  | { readonly kind: 'update'; readonly updates: readonly SharedUpdate[] }
);

/** Message to a worker: memory that it does not have yet, and its task. */
export interface PoolMessage {
  readonly added: readonly (readonly [id: number, memory: WebAssembly.Memory | SharedArrayBuffer])[];
  readonly task: PoolTask;
}

/** Takes chunks of a task and works on them until none is left. */
export const runTask = (task: PoolTask, bufferOf: (id: number) => SharedArrayBuffer): void => {
  const open = ({ buffer, offset, length }: SharedRange): Float32Array =>
    new Float32Array(bufferOf(buffer), offset, length);
  if (task.kind === 'norm') {
    const arrays = task.arrays.map(open);
    for (const [index, { array, start, end }] of taken(task.next, arrays))
      task.sums[index] = sumOfSquares(arrays[array]!, start, end);
    return;
  }
  if (task.kind === 'add') {
    const [sums, values] = [task.sums.map(open), task.values.map(open)];
    for (const [, { array, start, end }] of taken(task.next, sums)) addTo(sums[array]!, values[array]!, start, end);
    return;
  }
  const updates = task.updates.map((update) => ({
    ...update,
    values: open(update.values),
    gradient: open(update.gradient),
    first: open(update.first),
    second: open(update.second),
    average: update.average === undefined ? undefined : open(update.average),
  }));
  const values = updates.map((update) => update.values);
  for (const [, { array, start, end }] of taken(task.next, values)) applyUpdate(updates[array]!, start, end);
};

/** Chunks that this thread takes, with their indices. */
function* taken(next: Int32Array, arrays: readonly Float32Array[]) {
  const chunks = chunksOf(arrays.map(({ length }) => length));
  for (let index = Atomics.add(next, 0, 1); index < chunks.length; index = Atomics.add(next, 0, 1))
    yield [index, chunks[index]!] as const;
}
