import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packBfloat16, roundToBfloat16, unpackBfloat16 } from './bfloat16.ts';
import { makeSharedGroup, ThreadCommunicator } from './thread-communicator.ts';

const rounded = (...values: readonly number[]): number[] => {
  const array = Float32Array.from(values);
  roundToBfloat16(array);
  return [...array];
};

describe('bfloat16', () => {
  it('rounds to the nearest value of 8 significant bits, and to an even one between two', () => {
    const step = 2 ** -7;
    expect(rounded(1, 1 + step, 1 + 0.49 * step, 1 + 0.51 * step)).toEqual([1, 1 + step, 1, 1 + step]);
    expect(rounded(1 + 0.5 * step, 1 + 1.5 * step, -1 - 0.5 * step)).toEqual([1, 1 + 2 * step, -1]);
  });

  it('keeps zeros, infinities and NaN, and rounds the largest value to infinity', () => {
    expect(rounded(0, -0, Infinity, -Infinity, NaN, 3.4e38)).toEqual([0, -0, Infinity, -Infinity, NaN, Infinity]);
    const signaling = new Float32Array(Uint32Array.of(0x7f800001).buffer);
    roundToBfloat16(signaling);
    expect(signaling[0]).toBeNaN();
  });

  it('is off by at most 2^-8 of a normal value, and packs to what it rounds to', () => {
    const values = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 120), max: 2 ** 120 });
    fc.assert(
      fc.property(fc.array(values, { minLength: 1 }), (list) => {
        const array = Float32Array.from(list);
        const packed = new Uint16Array(array.length);
        const unpacked = new Float32Array(array.length);
        packBfloat16(array, packed);
        unpackBfloat16(packed, unpacked);
        expect([...unpacked]).toEqual(rounded(...list));
        unpacked.forEach((value, index) => {
          const exact = array[index]!;
          expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.max(2 ** -8 * Math.abs(exact), 2 ** -134));
        });
      }),
    );
  });

  it('sums of threads are those of rounded values, rounded', async () => {
    const group = makeSharedGroup(2, 8);
    const arrays = [Float32Array.of(1.001, 100), Float32Array.of(2.002, 0.3)];
    await Promise.all(arrays.map((array, rank) => new ThreadCommunicator(rank, group).allReduce(array, 'bfloat16')));
    const sum = (index: number): number => {
      const [a, b] = [
        [1.001, 2.002],
        [100, 0.3],
      ][index]!;
      return rounded(Math.fround(rounded(a!)[0]! + rounded(b!)[0]!))[0]!;
    };
    for (const array of arrays) expect([...array]).toEqual([sum(0), sum(1)]);
  });
});
