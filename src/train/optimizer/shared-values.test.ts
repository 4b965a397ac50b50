import { describe, expect, it } from 'vitest';
import { memoryOf } from '../../threads/shared-memory.ts';
import { sharedBeside, sharedFloats, sharedTensor } from './shared-values.ts';

const range = ({ byteOffset, byteLength }: Float32Array): readonly [number, number] => [
  byteOffset,
  byteOffset + byteLength,
];

describe('arrays in shared memory', () => {
  it('are copies, or the array itself when it is shared already', () => {
    const shared = sharedFloats(Float32Array.of(1, 2, 3));
    expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...shared]).toEqual([1, 2, 3]);
    expect(sharedFloats(shared)).toBe(shared);
    expect([...sharedFloats(4)]).toEqual([0, 0, 0, 0]);
    expect(sharedFloats(0)).toHaveLength(0);
    const ids = { dtype: 'int64', shape: [1], data: BigInt64Array.of(3n) } as const;
    expect(sharedTensor(ids)).toBe(ids);
  });

  it('have moments and average in the same memory, without overlap', () => {
    const arrays = [5, 1000, 16, 1].flatMap((length) => {
      const values = sharedFloats(new Float32Array(length).fill(7));
      return [values, sharedBeside(values), sharedBeside(values), sharedBeside(values)];
    });
    expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(1);
    expect(memoryOf(arrays[0]!.buffer)).toBeDefined();
    const sorted = arrays.map(range).sort(([a], [b]) => a - b);
    sorted.forEach(([start], index) => {
      expect(start % 64).toBe(0);
      if (index > 0) expect(start).toBeGreaterThanOrEqual(sorted[index - 1]![1]);
    });
    arrays.forEach((array, index) => {
      expect(new Set(array)).toEqual(new Set([index % 4 === 0 ? 7 : 0]));
    });
  });

  it('give each reserved array away once: later requests get zeros in other memory', () => {
    const values = sharedFloats(8);
    const taken = Array.from({ length: 5 }, () => sharedBeside(values).fill(1));
    const more = sharedBeside(values);
    expect([...more]).toEqual(new Array(8).fill(0));
    expect(taken.every((array) => array.every((value) => value === 1))).toBe(true);
    const foreign = new Float32Array(new SharedArrayBuffer(12));
    expect([...sharedBeside(foreign)]).toEqual([0, 0, 0]);
  });

  it('may be larger than a chunk of memory', () => {
    const values = sharedFloats(2 ** 25);
    const [first, second] = [sharedBeside(values), sharedBeside(values)];
    expect([first.buffer, second.buffer]).toEqual([values.buffer, values.buffer]);
    expect(first).toHaveLength(2 ** 25);
    first[2 ** 25 - 1] = 1;
    expect([values[2 ** 25 - 1], second[0]]).toEqual([0, 0]);
  });
});
