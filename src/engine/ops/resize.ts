import { addDims, dimsEqual, type Dim } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { dimValue, iota, scalar } from './constant.ts';
import { add, cast, div, floor, maximum, minimum, mul, sub } from './elementwise.ts';
import { gather } from './gather.ts';
import { reshape } from './reshape.ts';

/*
 * Composed of gathers instead of ONNX Resize, whose nearest mode divides by a rounded scale, so that exact multiples
 * give a source index one too low; PyTorch multiplies. Gathers have PyTorch's indices, and a gradient.
 */

/** Scale in/out, rounded to float32 as in PyTorch. */
const scaleOf = (from: Dim, to: Dim): Tensor => div(cast(dimValue(from), 'float32'), cast(dimValue(to), 'float32'));

const lastIndex = (size: Dim): Tensor => cast(dimValue(addDims(size, -1)), 'float32');

const nearestAxis = (x: Tensor, axis: number, size: Dim): Tensor => {
  const from = x.shape[axis]!;
  if (dimsEqual(from, size)) return x;
  const source = minimum(floor(mul(iota(size, 'float32'), scaleOf(from, size))), lastIndex(from));
  return gather(x, cast(source, 'int64'), axis);
};

/** Nearest-neighbor resize of the last two axes, source index ⌊i · in/out⌋ (PyTorch's `mode='nearest'`). */
export const resizeNearest = (x: Tensor, height: Dim, width: Dim): Tensor =>
  nearestAxis(nearestAxis(x, x.rank - 2, height), x.rank - 1, width);

const bilinearAxis = (x: Tensor, axis: number, size: Dim): Tensor => {
  const from = x.shape[axis]!;
  if (dimsEqual(from, size)) return x;
  const center = sub(mul(add(iota(size, 'float32'), 0.5), scaleOf(from, size)), 0.5);
  const position = maximum(center, 0);
  const low = minimum(floor(position), lastIndex(from));
  const high = minimum(add(low, 1), lastIndex(from));
  const weight = cast(
    reshape(sub(position, low), [size, ...Array.from({ length: x.rank - 1 - axis }, () => 1)]),
    x.dtype,
  );
  const below = gather(x, cast(low, 'int64'), axis);
  const above = gather(x, cast(high, 'int64'), axis);
  return add(mul(below, sub(scalar(1, x.dtype), weight)), mul(above, weight));
};

/** Bilinear resize of the last two axes without antialiasing (PyTorch's `mode='bilinear', align_corners=False`). */
export const resizeBilinear = (x: Tensor, height: Dim, width: Dim): Tensor =>
  bilinearAxis(bilinearAxis(x, x.rank - 2, height), x.rank - 1, width);
