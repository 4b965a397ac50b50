import { addDims, dimsEqual, mulDims, scaleDim, subDims, type Shape } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { mul } from './elementwise.ts';
import { gemm } from './gemm.ts';
import { matmul } from './matmul.ts';
import { sum } from './reduce.ts';
import { mergeAxes, reshape, swapLastTwo, transpose } from './reshape.ts';
import { concat, padAxes, window } from './slice.ts';

/** Attributes of a convolution: pairs are (height, width), pads are (top, left, bottom, right). */
export interface ConvAttrs {
  /** Stride along height and width. */
  readonly strides: readonly [number, number];
  /** Padding at top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number];
  /** Distance of filter taps along height and width. */
  readonly dilations: readonly [number, number];
  /** Number of groups of channels. */
  readonly groups: number;
}

/**
 * Gradient of a convolution with respect to its filter: for every kernel position, the slice of x that it reads times
 * dY. This is one matrix product per kernel position over the whole batch, for which x and dY are transposed to
 * channels-first. It is faster than a sum of per-sample products (docs/performance.md compares the compositions).
 */
export const filterGradient = (x: Tensor, dy: Tensor, filterShape: readonly number[], attrs: ConvAttrs): Tensor => {
  const { pads, groups } = attrs;
  const [outputs, inputs, kernelHeight, kernelWidth] = filterShape as [number, number, number, number];
  const isPlain = groups === 1;
  const channelsFirst = (value: Tensor): Tensor => (isPlain ? transpose(value, [1, 0, 2, 3]) : value);
  const dyFirst = channelsFirst(dy);
  const isPointwise = kernelHeight === 1 && kernelWidth === 1 && pads.every((amount) => amount === 0);
  // What a pointwise filter skips need not be transposed.
  const seen = isPointwise
    ? [channelsFirst(patches(x, [1, 1], dy.shape, attrs)[0]!)]
    : patches(channelsFirst(x), [kernelHeight, kernelWidth], dyFirst.shape, attrs);
  const taps = seen.map((value) =>
    isPlain
      ? gemm(mergeAxes(dyFirst, 1, 3), mergeAxes(value, 1, 3), { transB: true })
      : groupedTap(value, dyFirst, groups, outputs, inputs),
  );
  // one (O, C/g) per kernel position, stacked to (O, C/g, kh·kw)
  const stacked = concat(
    taps.map((tap) => reshape(tap, [outputs, inputs, 1])),
    2,
  );
  return reshape(stacked, filterShape);
};

/**
 * Slices of x (·, ·, H, W) that the kernel positions read, each of the height and width of dY, row by row of the kernel.
 *
 * With a stride, the columns that are read with one step are brought together first, by one transpose: slicing every second
 * element of a row for each kernel position takes four times as long.
 */
const patches = (
  x: Tensor,
  [kernelHeight, kernelWidth]: readonly [number, number],
  [, , height, width]: Shape,
  { strides: [stepY, stepX], pads: [top, left, bottom, right], dilations }: ConvAttrs,
): Tensor[] => {
  const offsets = (kernel: number, dilation: number): number[] =>
    Array.from({ length: kernel }, (_, k) => k * dilation);
  const [rows, columns] = [offsets(kernelHeight, dilations[0]), offsets(kernelWidth, dilations[1])];
  const isDivided = stepX > 1 && kernelWidth > 1;
  // Columns of a step: those of the output, and what the kernel reads beyond them.
  const perStep = addDims(width!, Math.floor(columns.at(-1)! / stepX));
  const padded = padAxes(x, [
    { axis: 2, before: top, after: bottom },
    { axis: 3, before: left, after: isDivided ? subDims(scaleDim(perStep, stepX), addDims(x.shape[3]!, left)) : right },
  ]);
  if (isDivided) {
    const lead = padded.shape.slice(0, 3);
    const divided = transpose(reshape(padded, [mulDims(...lead, perStep), stepX]), [1, 0]);
    const steps = reshape(divided, [stepX, ...lead, perStep]);
    return rows.flatMap((row) =>
      columns.map((column) => {
        const patch = window(steps, [
          { axis: 0, start: column % stepX, count: 1, step: 1 },
          { axis: 3, start: row, count: height!, step: stepY },
          { axis: 4, start: Math.floor(column / stepX), count: width!, step: 1 },
        ]);
        return mergeAxes(patch, 0, 1);
      }),
    );
  }
  /** Whether a kernel position reads x as it is, without its padding. */
  const isCentral = (row: number, column: number): boolean =>
    row === top && column === left && dimsEqual(height!, x.shape[2]!) && dimsEqual(width!, x.shape[3]!);
  return rows.flatMap((row) =>
    columns.map((column) =>
      isCentral(row, column)
        ? x
        : window(padded, [
            { axis: 2, start: row, count: height!, step: stepY },
            { axis: 3, start: column, count: width!, step: stepX },
          ]),
    ),
  );
};

const groupedTap = (seen: Tensor, dy: Tensor, groups: number, outputs: number, inputs: number): Tensor => {
  if (inputs === 1 && outputs === groups) return reshape(sum(mul(seen, dy), [0, 2, 3]), [outputs, 1]); // depthwise
  const batch = seen.shape[0]!;
  const area = mulDims(dy.shape[2]!, dy.shape[3]!);
  const perGroup = matmul(
    reshape(dy, [batch, groups, outputs / groups, area]),
    swapLastTwo(reshape(seen, [batch, groups, inputs, area])),
  );
  return reshape(sum(perGroup, [0]), [outputs, inputs]);
};
