import { describe, expect, it } from 'vitest';
import { float32Tensor, input, makeProgram, symbolicDim } from '../../engine/graph/index.ts';
import { reshape, sum, gradients, scalar } from '../../engine/ops/index.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { seededDropout } from './dropout.ts';

const [rows, columns, rate] = [300, 400, 0.1];
const runtime = await createRuntime({ threads: 1 });
const session = await runtime.load(
  (() => {
    const x = input('x', [symbolicDim('rows'), columns]);
    const dropout = seededDropout(input('seed', [], 'uint32'));
    const [first, second] = [dropout(x, rate), dropout(x, rate)];
    const [slope] = gradients([{ tensor: sum(first), cotangent: scalar(1) }], [x]);
    return makeProgram('drop', { first, second, slope: reshape(slope!, x.shape) });
  })(),
);
const ones = float32Tensor([rows, columns], new Float32Array(rows * columns).fill(1));
const drop = (seed: number) =>
  session.run({ x: ones, seed: { dtype: 'uint32', shape: [], data: Uint32Array.of(seed) } });
const isDropped = (values: ArrayLike<number | bigint>): boolean[] => Array.from(values, (value) => value === 0);
const share = (flags: readonly boolean[]): number => flags.filter(Boolean).length / flags.length;

describe('dropout', () => {
  it('drops its share and scales up what stays; the gradient is dropped alike', async () => {
    const { first, slope } = await drop(1);
    const dropped = isDropped(first!.data);
    expect(share(dropped)).toBeCloseTo(rate, 2);
    expect(new Set(Array.from(first!.data, Number))).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
    expect(slope!.data).toEqual(first!.data);
  });

  it('follows from the seed, and differs from place to place and from seed to seed', async () => {
    const [one, again, other] = [await drop(7), await drop(7), await drop(8)];
    expect(again).toEqual(one);
    const [a, b, c] = [one['first']!, one['second']!, other['first']!].map(({ data }) => isDropped(data));
    // Both dropped, as often as chance has it.
    for (const another of [b!, c!]) expect(share(a!.map((flag, at) => flag && another[at]!))).toBeCloseTo(rate ** 2, 2);
  });

  it('drops rows, columns and the corners of rectangles independently of each other', async () => {
    const dropped = isDropped((await drop(3))['first']!.data);
    const at = (row: number, column: number): boolean => dropped[row * columns + column]!;
    const pairs = (count: number, both: (k: number) => boolean): number =>
      share(Array.from({ length: count }, (_, k) => both(k)));
    for (const distance of [1, 2, 16, 128]) {
      const inRows = pairs((rows - distance) * columns, (k) => dropped[k]! && dropped[k + distance * columns]!);
      expect(inRows).toBeCloseTo(rate ** 2, 2);
      const inColumns = pairs(rows * (columns - distance), (k) => {
        const [row, column] = [Math.floor(k / (columns - distance)), k % (columns - distance)];
        return at(row, column) && at(row, column + distance);
      });
      expect(inColumns).toBeCloseTo(rate ** 2, 2);
    }
    let corners = 0;
    const tries = 299 * 399;
    for (let row = 0; row < 299; row++)
      for (let column = 0; column < 399; column++)
        if (at(row, column) && at(row + 1, column) && at(row, column + 1) && at(row + 1, column + 1)) corners++;
    // 12 expected
    expect(corners / tries).toBeLessThan(3 * rate ** 4);
  });

  it('drops nothing at rate 0', () => {
    const x = input('x', [2]);
    expect(seededDropout(input('seed', [], 'uint32'))(x, 0)).toBe(x);
  });
});
