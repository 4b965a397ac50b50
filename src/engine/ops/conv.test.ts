import { describe, expect, it } from 'vitest';
import {
  checkGradient,
  evaluate,
  expectClose,
  noise,
  opFixture,
  ramp,
  type Operand,
} from '../../../test/support/op-check.ts';
import { ceilDivDim, dimsEqual, input, symbolicDim } from '../graph/index.ts';
import { conv, convTranspose, padSame, type ConvOptions } from './conv.ts';
import { gradients } from './gradient.ts';

const operand = (shape: readonly number[], symbolicAxes: readonly number[] = []): Operand => ({
  shape,
  data: noise(
    shape.reduce((a, b) => a * b, 1),
    shape.length + shape.at(-1)!,
  ),
  symbolicAxes,
});
const image = (shape: readonly number[]): Operand => operand(shape, [0, 2, 3]);

/** Reference convolution in float64: out[b,o,y,x] = bias[o] + Σ x[b,c,y·s + i·d − p, …] · w[o,c,i,j]. */
const convByDefinition = (x: Operand, w: Operand, bias: Operand, options: ConvOptions): number[] => {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [outputs, perGroup, kernelHeight, kernelWidth] = w.shape as [number, number, number, number];
  const outSize = (size: number, kernel: number): number =>
    Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  const result: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < outputs; o++)
      for (let row = 0; row < outSize(height, kernelHeight); row++)
        for (let column = 0; column < outSize(width, kernelWidth); column++) {
          let sum = bias.data[o]!;
          const firstChannel = Math.floor(o / (outputs / groups)) * perGroup;
          for (let c = 0; c < perGroup; c++)
            for (let i = 0; i < kernelHeight; i++)
              for (let j = 0; j < kernelWidth; j++) {
                const [y, z] = [row * stride + i * dilation - padding, column * stride + j * dilation - padding];
                if (y < 0 || y >= height || z < 0 || z >= width) continue;
                const pixel = x.data[((b * channels + firstChannel + c) * height + y) * width + z]!;
                sum += pixel * w.data[((o * perGroup + c) * kernelHeight + i) * kernelWidth + j]!;
              }
          result.push(sum);
        }
  return result;
};

const cases = [
  { name: '3×3', x: [2, 3, 7, 6], w: [4, 3, 3, 3], options: { padding: 1 } },
  { name: '3×3 stride 2, even', x: [2, 3, 8, 6], w: [4, 3, 3, 3], options: { padding: 1, stride: 2 } },
  { name: '3×3 stride 2, odd', x: [1, 3, 7, 9], w: [4, 3, 3, 3], options: { padding: 1, stride: 2 } },
  { name: '3×3 stride 3, last rows unread', x: [1, 2, 8, 7], w: [2, 2, 3, 3], options: { stride: 3 } },
  { name: '3×3, many channels', x: [2, 17, 4, 5], w: [3, 17, 3, 3], options: { padding: 1 } },
  { name: '3×3 stride 2, many channels', x: [1, 17, 4, 5], w: [3, 17, 3, 3], options: { padding: 1, stride: 2 } },
  { name: '7×7 stride 2', x: [1, 3, 13, 12], w: [2, 3, 7, 7], options: { padding: 3, stride: 2 } },
  { name: '1×1', x: [2, 3, 5, 4], w: [4, 3, 1, 1], options: {} },
  { name: '1×1 stride 2', x: [2, 3, 6, 5], w: [4, 3, 1, 1], options: { stride: 2 } },
  { name: '1×1 padded', x: [2, 3, 4, 5], w: [4, 3, 1, 1], options: { padding: 1 } },
  { name: '1×1 in groups', x: [2, 4, 5, 4], w: [6, 2, 1, 1], options: { groups: 2 } },
  { name: '5×3', x: [1, 2, 7, 6], w: [3, 2, 5, 3], options: { padding: 1 } },
  { name: 'dilated', x: [1, 2, 9, 8], w: [3, 2, 3, 3], options: { padding: 2, dilation: 2 } },
  { name: 'dilated, stride 2', x: [1, 2, 9, 8], w: [3, 2, 3, 3], options: { padding: 2, dilation: 2, stride: 2 } },
  { name: 'grouped', x: [2, 4, 6, 5], w: [6, 2, 3, 3], options: { padding: 1, groups: 2 } },
  { name: 'grouped, stride 2', x: [2, 4, 6, 5], w: [2, 2, 3, 3], options: { padding: 1, groups: 2, stride: 2 } },
  { name: 'depthwise', x: [2, 4, 6, 5], w: [4, 1, 5, 5], options: { padding: 2, groups: 4 } },
  { name: 'depthwise stride 2', x: [2, 4, 6, 7], w: [4, 1, 3, 3], options: { padding: 1, groups: 4, stride: 2 } },
  { name: 'depthwise, two filters per channel', x: [1, 2, 5, 6], w: [4, 1, 3, 3], options: { groups: 2 } },
];

describe.each(cases)('conv, $name', ({ x, w, options }) => {
  const operands = [image(x), operand(w), operand([w[0]!])];
  it.each([false, true])('value and gradient, symbolic sizes: %s', async (symbolic) => {
    const { out } = await evaluate((a, filter, b) => conv(a, filter, options, b), operands, { symbolic });
    const [pixels, filter, bias] = operands as [Operand, Operand, Operand];
    expectClose(out!, { dtype: 'float32', data: convByDefinition(pixels, filter, bias, options) }, 2e-6);
    // Linear in each operand, so a wide central difference is exact up to rounding.
    const check = { epsilon: 0.5, tolerance: 2e-5, symbolic };
    await checkGradient((a, f, b) => conv(a, f, options, b), operands, check);
  });
});

describe('conv', () => {
  it('of an empty batch is empty, and so is its gradient', async () => {
    const operands = [image([0, 2, 5, 4]), operand([3, 2, 3, 3])];
    for (const symbolic of [false, true]) {
      const { out } = await evaluate((x, w) => conv(x, w, { padding: 1, stride: 2 }), operands, { symbolic });
      expectClose(out!, { shape: [0, 3, 3, 2], data: [] });
      await checkGradient((x, w) => conv(x, w, { padding: 1, stride: 2 }), operands, { symbolic });
    }
  });

  it('traces only the gradient that is requested', () => {
    const [x, w] = [input('x', [1, 2, 6, 6]), input('w', [3, 2, 3, 3])];
    const y = conv(x, w, { padding: 1 });
    const [dx] = gradients([{ tensor: y, cotangent: input('dy', y.shape) }], [x]);
    expect(dx!.shape).toEqual([1, 2, 6, 6]);
    const [dw] = gradients([{ tensor: y, cotangent: input('dy', y.shape) }], [w]);
    expect(dw!.shape).toEqual([3, 2, 3, 3]);
  });

  it('reports operands that do not fit', () => {
    const x = input('x', [1, 3, 8, 8]);
    const filter = (...shape: number[]) => input('w', shape);
    expect(() => conv(x, filter(4, 2, 3, 3))).toThrow(
      'conv: filter [4, 2, 3, 3] in 1 groups does not fit [1, 3, 8, 8]',
    );
    expect(() => conv(x, filter(4, 3, 3))).toThrow('conv: filter [4, 3, 3] in 1 groups does not fit [1, 3, 8, 8]');
    expect(() => conv(x, filter(4, 1, 3, 3), { groups: 3 })).toThrow('conv: filter [4, 1, 3, 3] in 3 groups');
    expect(() => conv(x, filter(4, 3, 3, 3), {}, input('b', [3]))).toThrow('conv: bias [3] for 4 channels');
    expect(() => conv(x, filter(4, 3, 9, 9))).toThrow(
      'conv: filter [4, 3, 9, 9] is larger than the padded [1, 3, 8, 8]',
    );
    expect(() =>
      convTranspose(x, filter(4, 3, 3, 3), { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 }),
    ).toThrow('convTranspose: filter [4, 3, 3, 3] does not fit [1, 3, 8, 8]');
    expect(() => conv(x, input('w', [4, 3, 3, 3], 'float64'))).toThrow('conv: element types differ');
  });
});

describe('convTranspose', () => {
  it.each([
    { strides: [2, 2], pads: [1, 1, 0, 0], dilations: [1, 1], groups: 1 },
    { strides: [1, 2], pads: [0, 1, 1, 0], dilations: [2, 1], groups: 1 },
  ] as const)('gradient, $strides $pads $dilations', async (attrs) => {
    for (const symbolic of [false, true]) {
      await checkGradient((a, w) => convTranspose(a, w, attrs), [image([2, 3, 4, 5]), operand([3, 2, 3, 3])], {
        epsilon: 0.5,
        tolerance: 2e-5,
        symbolic,
      });
    }
  });
});

interface SameCase {
  readonly kernel: number;
  readonly stride: number;
  readonly height: number;
  readonly width: number;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

describe('padSame', () => {
  const same = opFixture('conv-same.json') as readonly SameCase[];
  it.each(same)(
    "equals timm's Conv2dSame: $height×$width, kernel $kernel, stride $stride",
    async ({ kernel, stride, height, width, shape, values }) => {
      const filter = [2, 2, kernel, kernel];
      const operands = [
        { shape: [1, 2, height, width], data: ramp([1, 2, height, width]), symbolicAxes: [2, 3] },
        { shape: filter, data: ramp(filter, 29), symbolicAxes: [] },
      ];
      const build = (x: Parameters<typeof conv>[0], w: Parameters<typeof conv>[1]) =>
        conv(padSame(x, kernel, stride), w, { stride });
      for (const symbolic of [false, true]) {
        const { out } = await evaluate(build, operands, { symbolic });
        expectClose(out!, { shape, dtype: 'float32', data: values }, 2e-6);
        await checkGradient(build, operands, { epsilon: 0.5, tolerance: 2e-5, symbolic });
      }
    },
  );

  it.each([1, 2, 3])('keeps ⌈size/stride⌉ provably, stride %d', (stride) => {
    const height = symbolicDim('height');
    const y = conv(padSame(input('x', [1, 1, height, 7]), 3, stride), input('w', [1, 1, 3, 3]), { stride });
    expect(dimsEqual(y.shape[2]!, ceilDivDim(height, stride)), String(y.shape[2])).toBe(true);
  });

  it('rejects a kernel smaller than its stride', () => {
    expect(() => padSame(input('x', [1, 1, 5, 5]), 1, 2)).toThrow(
      'padSame: a kernel of 1 is smaller than its stride 2',
    );
  });
});
