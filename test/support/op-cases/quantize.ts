import { fakeQuantize, int8Conv } from '../../../src/engine/ops/quantize.ts';
import type { Operand } from '../op-check.ts';
import { convolved, countOf, fixed, float32, range, read, type OpCase } from './op-case.ts';

const rounded = float32([3, 4], 20);

/** Multiples of `step` between −`most` and `most` steps; every ninth value is the largest. */
const steps = (shape: readonly number[], step: number, most: number): Operand => ({
  shape,
  dtype: 'float32',
  data: range(countOf(shape)).map((index) =>
    Math.fround(step * (index % 9 === 0 ? most : ((index * 37) % most) - Math.floor(most / 2))),
  ),
});
// Values that the grids of x, of each filter channel and of the bias hold exactly, so that only additions round.
const image = { ...steps([1, 2, 4, 3], 0.5, 20), symbolicAxes: [0, 2, 3] };
const filter = fixed(steps([2, 2, 3, 3], 1 / 127, 127));
const bias = fixed(steps([2], 0.5 / 127, 90));

export const quantizeCases: readonly OpCase[] = [
  {
    title: 'fakeQuantize',
    operands: [rounded],
    build: (x) => fakeQuantize(x, { scale: 0.01, zeroPoint: 60 }),
    shape: [3, 4],
    dtype: 'float32',
    at: (position) => 0.01 * Math.min(195, Math.max(-60, Math.round(read(rounded, position) / Math.fround(0.01)))),
    gradient: 'none',
  },
  {
    title: 'int8Conv',
    operands: [image, filter, bias],
    build: (x, w, b) =>
      int8Conv(fakeQuantize(x, { scale: 0.5, zeroPoint: 128 }), w, b, 0.5, {
        strides: [1, 1],
        pads: [1, 1, 1, 1],
        dilations: [1, 1],
        groups: 1,
      }),
    shape: [1, 2, 4, 3],
    dtype: 'float32',
    at: (position) => read(bias, [position[1]!]) + convolved(image, filter, position, 1),
    gradient: 'none',
  },
];
