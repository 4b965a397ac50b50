import { describe, expect, it } from 'vitest';
import { decodeTask, encodeTask, type PoolTask } from './pool-task.ts';
import type { Update } from './update-pass.ts';

const buffers = [1024, 512].map((bytes) => new SharedArrayBuffer(bytes));
const floats = (buffer: number, offset: number, length: number): Float32Array =>
  new Float32Array(buffers[buffer]!, offset, length);

const adamw: Update = {
  kind: 'adamw',
  values: floats(0, 0, 6),
  gradient: floats(1, 64, 4),
  rows: new Int32Array(buffers[1]!, 0, 2),
  first: floats(0, 64, 6),
  second: floats(0, 128, 6),
  average: floats(0, 192, 6),
  step: 2 ** 40 + 1,
  rate: 1e-4,
  decay: 1 / 3,
  clip: 5e-324,
  averageDecay: 0.9998,
};
const sgd: Update = { ...adamw, kind: 'sgd', rows: undefined, second: floats(0, 128, 0), average: undefined };

const tasks: readonly PoolTask[] = [
  { kind: 'norm', arrays: [floats(0, 4, 3), floats(1, 8, 5)], sums: new Float64Array(buffers[1]!, 16, 2) },
  { kind: 'norm', arrays: [], sums: new Float64Array(buffers[0]!, 0, 0) },
  { kind: 'add', sums: [floats(0, 0, 2), floats(0, 8, 7)], values: [floats(1, 0, 2), floats(1, 256, 7)] },
  { kind: 'update', updates: [adamw, sgd, adamw, { ...sgd, kind: 'muon' }] },
];

/** The task with the place of each array instead of its contents. */
const ranges = (task: PoolTask): unknown =>
  JSON.parse(
    JSON.stringify(task, (_, value: unknown) =>
      ArrayBuffer.isView(value) && 'length' in value
        ? [value.constructor.name, buffers.indexOf(value.buffer as SharedArrayBuffer), value.byteOffset, value.length]
        : value,
    ),
  );

describe('tasks of optimizer threads as numbers', () => {
  it.each(tasks)('are read as they were written: $kind', (task) => {
    const numbers = Float64Array.from(encodeTask(task, (buffer) => buffers.indexOf(buffer)));
    const read = decodeTask(numbers, (id) => buffers[id]!);
    expect(ranges(read)).toEqual(ranges(task));
    expect(read).toEqual(task);
  });
});
