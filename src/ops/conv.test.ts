import { describe, it } from 'vitest';
import { checkGradient, noise } from '../../test/op-check.ts';
import { conv, convTranspose } from './conv.ts';

const x = (shape: number[]) => ({
  shape,
  data: noise(
    shape.reduce((a, b) => a * b, 1),
    shape.length + shape.at(-1)!,
  ),
});

describe('conv gradients', () => {
  // Linear in each operand, so that a wide central difference is exact but for rounding.
  const cases = [
    { name: '3×3', image: [2, 3, 7, 6], filter: [4, 3, 3, 3], options: { padding: 1 } },
    { name: '3×3 stride 2, even', image: [2, 3, 8, 6], filter: [4, 3, 3, 3], options: { padding: 1, stride: 2 } },
    { name: '3×3 stride 2, odd', image: [1, 3, 7, 9], filter: [4, 3, 3, 3], options: { padding: 1, stride: 2 } },
    { name: '7×7 stride 2', image: [1, 3, 13, 12], filter: [2, 3, 7, 7], options: { padding: 3, stride: 2 } },
    { name: '1×1', image: [2, 3, 5, 4], filter: [4, 3, 1, 1], options: {} },
    { name: '1×1 stride 2', image: [2, 3, 6, 5], filter: [4, 3, 1, 1], options: { stride: 2 } },
    { name: 'dilated', image: [1, 2, 9, 8], filter: [3, 2, 3, 3], options: { padding: 2, dilation: 2 } },
    { name: 'grouped', image: [2, 4, 6, 5], filter: [6, 2, 3, 3], options: { padding: 1, groups: 2 } },
    {
      name: 'depthwise stride 2',
      image: [2, 4, 6, 7],
      filter: [4, 1, 3, 3],
      options: { padding: 1, groups: 4, stride: 2 },
    },
  ];
  it.each(cases)('$name', async ({ image, filter, options }) => {
    await checkGradient((a, w, b) => conv(a!, w!, options, b), [x(image), x(filter), x([filter[0]!])], {
      epsilon: 0.5,
      tolerance: 2e-5,
    });
  });
  it('transposed', async () => {
    await checkGradient(
      (a, w) => convTranspose(a!, w!, { strides: [2, 2], pads: [1, 1, 0, 0], dilations: [1, 1], groups: 1 }),
      [x([2, 3, 4, 5]), x([3, 2, 3, 3])],
      { epsilon: 0.5, tolerance: 2e-5 },
    );
  });
});
