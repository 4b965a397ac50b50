import { defineOp, ShapeError } from '../graph/define-op.ts';
import { formatShape, shapesEqual } from '../graph/dim.ts';
import { staticShape, type Tensor } from '../graph/tensor.ts';
import { scalar } from './constant.ts';
import { convShape, onnxConvAttrs, type ConvAttrs } from './conv.ts';
import { abs, cast, div, floor, maximum, mul, add } from './elementwise.ts';
import { max } from './reduce.ts';
import { reshape } from './reshape.ts';

/** 256 evenly spaced values, one of them 0: value = scale · (q − zeroPoint) for q from 0 to 255. */
export interface Uint8Grid {
  /** Distance of two values. */
  readonly scale: number;
  /** The q that means 0. */
  readonly zeroPoint: number;
}

/**
 * Rounds to the nearest value of a grid and saturates at its ends ("fake quantization"). It is written as a pair of
 * QuantizeLinear and DequantizeLinear: between two such pairs ONNX Runtime computes convolutions, sums and poolings with
 * integers, and no float is ever written.
 */
export const fakeQuantize = (x: Tensor, { scale, zeroPoint }: Uint8Grid): Tensor =>
  fakeQuantizeOp([x], { scale, zeroPoint });

const fakeQuantizeOp = defineOp<[x: Tensor], Uint8Grid>({
  name: 'fakeQuantize',
  cheap: false,
  infer([x], { scale, zeroPoint }) {
    const isGrid = scale > 0 && Number.isFinite(scale) && Number.isInteger(zeroPoint) && zeroPoint >= 0;
    if (x.dtype !== 'float32' || !isGrid || zeroPoint > 255)
      throw new ShapeError('fakeQuantize', `${x.toString()} with scale ${scale} and zero point ${zeroPoint}`);
    return { shape: x.shape, dtype: x.dtype };
  },
  emit(onnx, [x], { attrs: { scale, zeroPoint } }) {
    const grid = [onnx.scalar(scale, 'float32'), onnx.scalar(zeroPoint, 'uint8')];
    const [quantized] = onnx.node('QuantizeLinear', [x!, ...grid]);
    return onnx.node('DequantizeLinear', [quantized!, ...grid]);
  },
  vjp: 'none',
});

/** Largest magnitude of 8-bit filter values: symmetric, so that −128 is not used. */
const LARGEST = 127;
/** A bias is at most this many steps, far inside of 32 bits. */
const LARGEST_BIAS = 2 ** 30;
/** Scale of a channel of zeros. */
const TINY_SCALE = 1e-30;

/**
 * Convolution of a fake-quantized x (B, C, H, W) with a filter (O, C/groups, kh, kw) in 8 bits, symmetric with one scale per
 * output channel, and a bias in 32 bits. What depends on filter and bias alone is computed with the other weights.
 *
 * @param inputScale scale of the grid of x
 */
export const int8Conv = (
  x: Tensor,
  filter: Tensor,
  bias: Tensor | undefined,
  inputScale: number,
  attrs: ConvAttrs,
): Tensor => {
  const [channels] = staticShape(filter) as [number];
  const largest = max(abs(filter), [1, 2, 3]); // (O)
  let scales = maximum(mul(largest, 1 / LARGEST), TINY_SCALE);
  // The bias has steps of inputScale · scale: a filter of nearly zeros must not make them too small for 32 bits.
  if (bias !== undefined) scales = maximum(scales, mul(abs(bias), 1 / (inputScale * LARGEST_BIAS)));
  const steps = div(filter, reshape(scales, [channels, 1, 1, 1]));
  const weights = [cast(round(steps), 'int8'), scales];
  if (bias === undefined) return int8ConvOp([x, ...weights], attrs);
  const biasScales = mul(scales, inputScale);
  return int8ConvOp([x, ...weights, cast(round(div(bias, biasScales)), 'int32'), biasScales], attrs);
};

/** Nearest integer, halves upward. */
const round = (x: Tensor): Tensor => floor(add(x, scalar(0.5, x.dtype)));

const int8ConvOp = defineOp<readonly Tensor[], ConvAttrs>({
  name: 'int8Conv',
  cheap: false,
  infer([x, filter, scales, bias, biasScales], attrs) {
    const channels = filter!.shape.slice(0, 1);
    const fits = [scales, biasScales].every((tensor) => tensor === undefined || shapesEqual(tensor.shape, channels));
    if (filter!.dtype !== 'int8' || !fits)
      throw new ShapeError('int8Conv', `scales ${formatShape(scales!.shape)} do not fit ${filter!.toString()}`);
    return { shape: convShape(x!, filter!, bias, attrs), dtype: x!.dtype };
  },
  emit(onnx, [x, filter, scales, bias, biasScales], { attrs }) {
    const restored = (...values: string[]): string => onnx.node('DequantizeLinear', values, { axis: 0 })[0]!;
    const operands = [x!, restored(filter!, scales!)];
    if (bias !== undefined) operands.push(restored(bias, biasScales!));
    return onnx.node('Conv', operands, onnxConvAttrs(attrs));
  },
  vjp: 'none',
});
