import { defineOp, ShapeError } from '../graph/define-op.ts';
import {
  addDims,
  dimsEqual,
  floorDivDim,
  formatShape,
  scaleDim,
  shapesEqual,
  subDims,
  type Dim,
  type Shape,
} from '../graph/dim.ts';
import type { DType } from '../graph/dtype.ts';
import { staticShape, type Node, type OpNode, type Tensor } from '../graph/tensor.ts';
import { reshape, transpose } from './reshape.ts';
import { interleaveZeros, pad, padAxes } from './slice.ts';
import { literal } from './constant.ts';
import { gemm } from './gemm.ts';
import { filterGradient, type ConvAttrs } from './filter-gradient.ts';
import { requireSameType } from './broadcast.ts';
import { sum } from './reduce.ts';

export type { ConvAttrs };

/** Options of a convolution, equal along height and width. */
export interface ConvOptions {
  /** Stride. Default 1. */
  readonly stride?: number;
  /** Padding on all sides. Default 0. */
  readonly padding?: number;
  /** Distance of filter taps. Default 1. */
  readonly dilation?: number;
  /** Number of groups of channels. Default 1. */
  readonly groups?: number;
}

const attrsOf = ({ stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions): ConvAttrs => ({
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
  dilations: [dilation, dilation],
  groups,
});

/** Attributes of a convolution in ONNX. */
export const onnxConvAttrs = ({
  strides,
  pads,
  dilations,
  groups,
}: ConvAttrs): Record<string, number | readonly number[]> => ({
  strides,
  pads,
  dilations,
  group: groups,
});

/** Extent of a dilated kernel in pixels. */
const extentOf = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

/** 2-D convolution (cross-correlation): x (B, C, H, W), filter (O, C/groups, kh, kw), optional bias (O). */
export const conv = (x: Tensor, filter: Tensor, options: ConvOptions = {}, bias?: Tensor): Tensor =>
  convOp(bias ? [x, filter, bias] : [x, filter], attrsOf(options));

const CONV = 'conv';

/** Shape of the result of a convolution. @throws {ShapeError} if the operands do not fit each other */
export const convShape = (
  x: Tensor,
  filter: Tensor,
  bias: Tensor | undefined,
  { strides, pads, dilations, groups }: ConvAttrs,
): Shape => {
  const [outputs, inputs, height, width] = staticShape(filter) as [number, number, number, number];
  if (x.rank !== 4 || filter.rank !== 4 || x.shape[1] !== inputs * groups || outputs % groups !== 0) {
    throw new ShapeError(
      'conv',
      `filter ${formatShape(filter.shape)} in ${groups} groups does not fit ${formatShape(x.shape)}`,
    );
  }
  if (bias !== undefined && !shapesEqual(bias.shape, [outputs]))
    throw new ShapeError('conv', `bias ${formatShape(bias.shape)} for ${outputs} channels`);
  const outSize = (size: Dim, axis: 0 | 1, kernel: number): Dim => {
    const free = addDims(size, pads[axis] + pads[axis + 2]! - extentOf(kernel, dilations[axis]));
    if (typeof free === 'number' && free < 0)
      throw new ShapeError(
        'conv',
        `filter ${formatShape(filter.shape)} is larger than the padded ${formatShape(x.shape)}`,
      );
    return addDims(floorDivDim(free, strides[axis]), 1);
  };
  return [x.shape[0]!, outputs, outSize(x.shape[2]!, 0, height), outSize(x.shape[3]!, 1, width)];
};

const convOp = defineOp<readonly Tensor[], ConvAttrs>({
  name: CONV,
  cheap: false,
  infer([x, filter, bias], attrs) {
    requireSameType('conv', x!, filter!);
    return { shape: convShape(x!, filter!, bias, attrs), dtype: x!.dtype };
  },
  emit: (onnx, inputs, { attrs }) => onnx.node('Conv', inputs, onnxConvAttrs(attrs)),
  vjp(dy, { inputs: [x, filter, bias], attrs, needs }) {
    const gradients = [
      needs(0) ? inputGradient(dy, filter!, attrs, x!.shape) : undefined,
      needs(1) ? filterGradient(x!, dy, staticShape(filter!), attrs) : undefined,
    ];
    return bias === undefined ? gradients : [...gradients, needs(2) ? sum(dy, [0, 2, 3]) : undefined];
  },
});

/** Whether a node is a convolution: its inputs are those of `conv`. */
export const isConv = (node: Node): node is OpNode & { readonly attrs: ConvAttrs } =>
  node.kind === 'op' && node.op.name === CONV;

/** Transposed convolution, the adjoint of `conv` with respect to x: x (B, O, h, w), filter (O, C/groups, kh, kw). */
export const convTranspose = (x: Tensor, filter: Tensor, attrs: ConvAttrs): Tensor =>
  convTransposeOp([x, filter], attrs);

const convTransposeOp = defineOp<[x: Tensor, filter: Tensor], ConvAttrs>({
  name: 'convTranspose',
  cheap: false,
  infer([x, filter], { strides, pads, dilations, groups }) {
    const [, outputs, height, width] = staticShape(filter) as [number, number, number, number];
    requireSameType('convTranspose', x, filter);
    if (x.rank !== 4 || filter.rank !== 4 || !dimsEqual(x.shape[1]!, filter.shape[0]!))
      throw new ShapeError('convTranspose', `filter ${formatShape(filter.shape)} does not fit ${formatShape(x.shape)}`);
    const outSize = (size: Dim, axis: 0 | 1, kernel: number): Dim =>
      addDims(
        scaleDim(addDims(size, -1), strides[axis]),
        extentOf(kernel, dilations[axis]) - pads[axis] - pads[axis + 2]!,
      );
    return {
      shape: [x.shape[0]!, outputs * groups, outSize(x.shape[2]!, 0, height), outSize(x.shape[3]!, 1, width)],
      dtype: x.dtype,
    };
  },
  emit: (onnx, inputs, { attrs }) => onnx.node('ConvTranspose', inputs, onnxConvAttrs(attrs)),
  vjp: (dy, { inputs: [x, filter], attrs, needs }) => [
    needs(0) ? convOp([dy, filter], attrs) : undefined,
    // The adjoint convolution maps dy to x, so they swap roles.
    needs(1) ? filterGradient(dy, x, staticShape(filter), attrs) : undefined,
  ],
});

/**
 * Gradient of a convolution with respect to x, cropped or zero-padded to the shape of x (with a stride, the last rows
 * of x may be unread). With stride 1 it is a convolution with the flipped kernel, measured up to 30 % faster than the
 * transposed convolution (docs/performance.md).
 */
const inputGradient = (dy: Tensor, filter: Tensor, attrs: ConvAttrs, inputShape: Shape): Tensor => {
  const { strides, pads, dilations, groups } = attrs;
  const [, , height, width] = staticShape(filter) as [number, number, number, number];
  const [extentY, extentX] = [extentOf(height, dilations[0]) - 1, extentOf(width, dilations[1]) - 1];
  const [top, left, bottom, right] = pads;
  const flippedPads = [extentY - top, extentX - left, extentY - bottom, extentX - right] as const;
  const canFlip = groups === 1 && flippedPads.every((amount) => amount >= 0);
  const isPointwise = height === 1 && width === 1;
  if (canFlip && (isPointwise || (strides[0] === 1 && strides[1] === 1))) {
    const spread = convOp([dy, flipKernel(filter)], { strides: [1, 1], pads: flippedPads, dilations, groups });
    return applyStride(spread, strides, inputShape);
  }
  // With stride 1 the op crops both ends itself; otherwise only the start, and `fit` crops the end.
  const begin = convTranspose(
    dy,
    filter,
    strides[0] === 1 && strides[1] === 1 ? attrs : { ...attrs, pads: [top, left, 0, 0] },
  );
  return fit(begin, inputShape);
};

/** Swaps the channel axes of a filter and flips its kernel: (O, C, kh, kw) → (C, O, kh, kw). */
const flipKernel = (filter: Tensor): Tensor => {
  const [outputs, inputs, height, width] = staticShape(filter) as [number, number, number, number];
  const area = height * width;
  const flipped =
    area === 1 ? filter : gemm(reshape(filter, [outputs * inputs, area]), exchangeMatrix(area, filter.dtype));
  return reshape(transpose(reshape(flipped, [outputs, inputs, area]), [1, 0, 2]), [inputs, outputs, height, width]);
};

/** Ones on the antidiagonal: a product with it reverses rows. ONNX Runtime takes six times as long to reverse a short axis. */
const exchangeMatrix = (size: number, dtype: DType): Tensor =>
  literal(
    Array.from({ length: size * size }, (_, index) => ((index % size) + Math.floor(index / size) === size - 1 ? 1 : 0)),
    [size, size],
    dtype,
  );

/** Crops or zero-pads the ends of the last two axes to those of the given shape. */
const fit = (x: Tensor, shape: Shape): Tensor =>
  padAxes(
    x,
    [2, 3].map((axis) => ({ axis, before: 0, after: subDims(shape[axis]!, x.shape[axis]!) })),
  );

const applyStride = (x: Tensor, strides: readonly [number, number], shape: Shape): Tensor =>
  strides[0] === 1 && strides[1] === 1
    ? x
    : fit(interleaveZeros(interleaveZeros(x, 2, strides[0]), 3, strides[1]), shape);

/**
 * Zero padding of TensorFlow's "same" rule: the output has size ⌈in/stride⌉, and an odd zero goes to the end. With
 * stride 1 the amounts are constant, otherwise they depend on the size.
 */
export const padSame = (x: Tensor, kernel: number, stride: number): Tensor => {
  // The amount would depend on a comparison of sizes, which symbolic sizes cannot express.
  if (kernel < stride) throw new ShapeError('padSame', `a kernel of ${kernel} is smaller than its stride ${stride}`);
  const padAxis = (value: Tensor, axis: number): Tensor => {
    const size = value.shape[axis]!;
    const total = subDims(
      addDims(scaleDim(floorDivDim(addDims(size, stride - 1), stride), stride), kernel - stride),
      size,
    );
    const before = floorDivDim(total, 2);
    return pad(value, axis, before, subDims(total, before));
  };
  return padAxis(padAxis(x, 2), 3);
};
