import type { Update } from './update-pass.ts';

/** Work that is divided among threads. All arrays are in shared memory. */
export type PoolTask =
  | {
      readonly kind: 'norm';
      readonly arrays: readonly Float32Array[];
      /** One for each chunk. */
      readonly sums: Float64Array;
    }
  | { readonly kind: 'add'; readonly sums: readonly Float32Array[]; readonly values: readonly Float32Array[] }
  | { readonly kind: 'update'; readonly updates: readonly Update[] };

const TASK_KINDS = ['norm', 'add', 'update'] as const satisfies readonly PoolTask['kind'][];
const UPDATE_KINDS = ['adamw', 'sgd', 'muon'] as const satisfies readonly Update['kind'][];
/** Index of the buffer of an array that does not exist. */
const NO_BUFFER = -1;

/**
 * Writes a task as numbers, which all threads read from one shared memory: messages are copied for each thread, object by object,
 * which takes longer than the work on a small network. An array is the index of its buffer, its offset in bytes and its length.
 *
 * @param idOf index of a buffer
 */
export const encodeTask = (task: PoolTask, idOf: (buffer: SharedArrayBuffer) => number): readonly number[] => {
  const numbers: number[] = [TASK_KINDS.indexOf(task.kind)];
  const put = (array: Float32Array | Float64Array | Int32Array | undefined): void => {
    if (array === undefined) numbers.push(NO_BUFFER, 0, 0);
    else numbers.push(idOf(array.buffer as SharedArrayBuffer), array.byteOffset, array.length);
  };
  if (task.kind === 'norm') {
    numbers.push(task.arrays.length);
    task.arrays.forEach(put);
    put(task.sums);
  } else if (task.kind === 'add') {
    numbers.push(task.sums.length);
    task.sums.forEach(put);
    task.values.forEach(put);
  } else {
    numbers.push(task.updates.length);
    for (const { kind, step, rate, decay, clip, averageDecay, ...arrays } of task.updates) {
      numbers.push(UPDATE_KINDS.indexOf(kind), step, rate, decay, clip, averageDecay);
      put(arrays.values);
      put(arrays.gradient);
      put(arrays.rows);
      put(arrays.first);
      put(arrays.second);
      put(arrays.average);
    }
  }
  return numbers;
};

/** Reads what `encodeTask` wrote. @param bufferOf buffer by its index */
export const decodeTask = (numbers: ArrayLike<number>, bufferOf: (id: number) => SharedArrayBuffer): PoolTask => {
  let at = 0;
  const next = (): number => numbers[at++]!;
  const take = <A>(type: new (buffer: SharedArrayBuffer, offset: number, length: number) => A): A | undefined => {
    const [id, offset, length] = [next(), next(), next()];
    return id === NO_BUFFER ? undefined : new type(bufferOf(id), offset, length);
  };
  const floats = (): Float32Array => take(Float32Array)!;
  const list = <T>(length: number, item: () => T): readonly T[] => Array.from({ length }, item);

  const kind = TASK_KINDS[next()]!;
  const count = next();
  if (kind === 'norm') return { kind, arrays: list(count, floats), sums: take(Float64Array)! };
  if (kind === 'add') return { kind, sums: list(count, floats), values: list(count, floats) };
  return {
    kind,
    // Properties are evaluated in this order, which is that of `encodeTask`.
    updates: list(count, () => ({
      kind: UPDATE_KINDS[next()]!,
      step: next(),
      rate: next(),
      decay: next(),
      clip: next(),
      averageDecay: next(),
      values: floats(),
      gradient: floats(),
      rows: take(Int32Array),
      first: floats(),
      second: floats(),
      average: take(Float32Array),
    })),
  };
};
