import { decodeTask, type PoolTask } from './pool-task.ts';
import { addTo, applyUpdate, chunksOf, sumOfSquares } from './update-pass.ts';

/** Message to a worker. */
export interface PoolMessage {
  /** Memory that it does not have yet. */
  readonly added: readonly (readonly [id: number, memory: WebAssembly.Memory | SharedArrayBuffer])[];
  /** Index of the buffer with the task: a counter (`counterOf`), then the task's numbers (`numbersOf`). */
  readonly task: number;
}

/** Bytes of a task with this many numbers. */
export const taskBytes = (numbers: number): number => (1 + numbers) * Float64Array.BYTES_PER_ELEMENT;

/** One element: index of the next chunk that no thread has taken. */
export const counterOf = (task: SharedArrayBuffer): Int32Array => new Int32Array(task, 0, 1);

/** Numbers of a task (`encodeTask`). */
export const numbersOf = (task: SharedArrayBuffer): Float64Array =>
  new Float64Array(task, Float64Array.BYTES_PER_ELEMENT);

/** Takes chunks of a task and works on them until none is left. */
export const runTask = (memory: SharedArrayBuffer, bufferOf: (id: number) => SharedArrayBuffer): void => {
  const task = decodeTask(numbersOf(memory), bufferOf);
  const chunks = chunksOf(arraysOf(task).map(({ length }) => length));
  const next = counterOf(memory);
  for (let index = Atomics.add(next, 0, 1); index < chunks.length; index = Atomics.add(next, 0, 1)) {
    const { array, start, end } = chunks[index]!;
    if (task.kind === 'norm') task.sums[index] = sumOfSquares(task.arrays[array]!, start, end);
    else if (task.kind === 'add') addTo(task.sums[array]!, task.values[array]!, start, end);
    else applyUpdate(task.updates[array]!, start, end);
  }
};

/** Arrays that are divided into chunks. */
const arraysOf = (task: PoolTask): readonly Float32Array[] => {
  if (task.kind === 'norm') return task.arrays;
  return task.kind === 'add' ? task.sums : task.updates.map(({ values }) => values);
};
