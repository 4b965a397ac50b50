import { ceilDivDim, makeProgram, sizeOf, type Dim, type Program, type Tensor } from '../../engine/graph/index.ts';
import { concat, max, neg, reshape, window } from '../../engine/ops/index.ts';
import { findQuantizationPoints } from './quantization-points.ts';

/** A program that measures the values of tensors. */
export interface RangeProgram {
  /** Outputs `extremes.N`, minus the smallest and the largest value, and `sample.N`, for each N-th name. */
  readonly program: Program;
  /** Names of the tensors, as in `findQuantizationPoints`. */
  readonly names: readonly string[];
}

/**
 * Makes a program that measures the tensors between the convolutions of the backbone, for one image.
 *
 * @param stride the sample has every such row and column of a feature map
 */
export const rangeProgram = (image: Program, stride: number): RangeProgram => {
  const points = [...findQuantizationPoints(image).points];
  const outputs = points.flatMap(([, tensor], index) => [
    [`extremes.${index}`, extremesOf(tensor)] as const,
    [`sample.${index}`, sampleOf(tensor, stride)] as const,
  ]);
  return { program: makeProgram('ranges', Object.fromEntries(outputs)), names: points.map(([name]) => name) };
};

/** (2): the largest value of −x and of x. */
const extremesOf = (x: Tensor): Tensor =>
  concat(
    [neg(x), x].map((signed) => reshape(max(signed, [0, 1, 2, 3]), [1])),
    0,
  );

const sampleOf = (x: Tensor, step: number): Tensor => {
  const [, , height, width] = x.shape as [Dim, Dim, Dim, Dim];
  const sample = window(x, [
    { axis: 2, start: 0, count: ceilDivDim(height, step), step },
    { axis: 3, start: 0, count: ceilDivDim(width, step), step },
  ]);
  return reshape(sample, [sizeOf(sample.shape)]);
};
