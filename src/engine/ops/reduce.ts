import { defineOp, ShapeError } from '../graph/define-op.ts';
import { dimsEqual, formatShape, shapesEqual, sizeOf, type Shape } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { broadcastShapes, normalizeAxis } from './broadcast.ts';
import { dimValue } from './constant.ts';
import { add, cast, div, equal, exp, log, mul, sub } from './elementwise.ts';
import { mergeAxes, reshape } from './reshape.ts';

interface ReduceAttrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Options of a reduction. */
export interface ReduceOptions {
  /** Keeps the reduced axes with size 1. */
  readonly keepDims?: boolean;
}

const keptShape = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));

const reducedShape = (shape: Shape, { axes, keepDims }: ReduceAttrs): Shape =>
  keepDims ? keptShape(shape, axes) : shape.filter((_, axis) => !axes.includes(axis));

const attrsOf = (op: string, x: Tensor, axes: readonly number[] | undefined, options: ReduceOptions): ReduceAttrs => {
  const reduced = (axes ?? x.shape.map((_, axis) => axis)).map((axis) => normalizeAxis(op, axis, x.rank));
  if (new Set(reduced).size !== reduced.length)
    throw new ShapeError(op, `axes [${reduced.join(', ')}] of ${formatShape(x.shape)} contain a duplicate`);
  return { axes: reduced, keepDims: options.keepDims ?? false };
};

/** Applies a reduction; over no axis it is the identity (ONNX would reduce over all axes). */
const reduce = (apply: (inputs: [Tensor], attrs: ReduceAttrs) => Tensor, x: Tensor, attrs: ReduceAttrs): Tensor =>
  attrs.axes.length === 0 ? x : apply([x], attrs);

/** Sum over the given axes (all by default). */
export const sum = (x: Tensor, axes?: readonly number[], options: ReduceOptions = {}): Tensor =>
  reduce(sumOp, x, attrsOf('sum', x, axes, options));

const sumOp = defineOp<[x: Tensor], ReduceAttrs>({
  name: 'sum',
  cheap: false,
  infer: ([x], attrs) => ({ shape: reducedShape(x.shape, attrs), dtype: x.dtype }),
  emit: (onnx, [x], { attrs }) =>
    onnx.node('ReduceSum', [x!, onnx.int64s(attrs.axes)], { keepdims: attrs.keepDims ? 1 : 0 }),
  vjp: (dy, { inputs: [x], attrs }) => [expand(reshape(dy, keptShape(x.shape, attrs.axes)), x.shape)],
});

/**
 * Sum over all axes but the last: (…, D) → (D). The axes between the first and the last are summed first, so that every thread
 * reads the rows that it has computed: sums over all rows at once divide the columns among threads.
 */
export const sumRows = (x: Tensor): Tensor =>
  x.rank < 3 ? sum(x, x.rank === 2 ? [0] : []) : sum(sum(mergeAxes(x, 1, x.rank - 2), [1]), [0]);

/** Mean over the given axes (all by default). */
export const mean = (x: Tensor, axes?: readonly number[], options: ReduceOptions = {}): Tensor =>
  reduce(meanOp, x, attrsOf('mean', x, axes, options));

const meanOp = defineOp<[x: Tensor], ReduceAttrs>({
  name: 'mean',
  cheap: false,
  infer: ([x], attrs) => ({ shape: reducedShape(x.shape, attrs), dtype: x.dtype }),
  emit: (onnx, [x], { attrs }) =>
    onnx.node('ReduceMean', [x!, onnx.int64s(attrs.axes)], { keepdims: attrs.keepDims ? 1 : 0 }),
  vjp(dy, { inputs: [x], attrs }) {
    const count = cast(dimValue(sizeOf(x.shape.filter((_, axis) => attrs.axes.includes(axis)))), dy.dtype);
    return [expand(reshape(div(dy, count), keptShape(x.shape, attrs.axes)), x.shape)];
  },
});

/** Maximum over the given axes (all by default). Equal maxima share dy evenly. */
export const max = (x: Tensor, axes?: readonly number[], options: ReduceOptions = {}): Tensor =>
  reduce(maxOp, x, attrsOf('max', x, axes, options));

const maxOp = defineOp<[x: Tensor], ReduceAttrs>({
  name: 'max',
  cheap: false,
  infer: ([x], attrs) => ({ shape: reducedShape(x.shape, attrs), dtype: x.dtype }),
  emit: (onnx, [x], { attrs }) =>
    onnx.node('ReduceMax', [x!, onnx.int64s(attrs.axes)], { keepdims: attrs.keepDims ? 1 : 0 }),
  vjp(dy, { inputs: [x], output, attrs }) {
    const kept = keptShape(x.shape, attrs.axes);
    const winners = cast(equal(x, expand(reshape(output, kept), x.shape)), dy.dtype);
    return [div(mul(reshape(dy, kept), winners), sum(winners, attrs.axes, { keepDims: true }))];
  },
});

/** log Σ eˣ over the given axes, computed without overflow. */
export const logSumExp = (x: Tensor, axes: readonly number[], options: ReduceOptions = {}): Tensor => {
  const shape = reducedShape(x.shape, attrsOf('logSumExp', x, axes, options));
  const top = max(x, axes, { keepDims: true });
  const kept = add(log(sum(exp(sub(x, top)), axes, { keepDims: true })), top);
  return reshape(kept, shape);
};

/** Index (int64) of the maximum along an axis, the first of equal ones. */
export const argMax = (x: Tensor, axis: number, { keepDims = false }: ReduceOptions = {}): Tensor =>
  argMaxOp([x], { axis: normalizeAxis('argMax', axis, x.rank), keepDims });

const argMaxOp = defineOp<[x: Tensor], { readonly axis: number; readonly keepDims: boolean }>({
  name: 'argMax',
  cheap: true,
  infer: ([x], { axis, keepDims }) => ({ shape: reducedShape(x.shape, { axes: [axis], keepDims }), dtype: 'int64' }),
  emit: (onnx, inputs, { attrs }) =>
    onnx.node('ArgMax', inputs, { axis: attrs.axis, keepdims: attrs.keepDims ? 1 : 0, select_last_index: 0 }),
  vjp: 'none',
});

/** Cumulative sum along an axis, from its end with `reverse`. */
export const cumSum = (x: Tensor, axis: number, options: { readonly reverse?: boolean } = {}): Tensor => {
  if (x.dtype === 'bool') throw new ShapeError('cumSum', `cannot add up ${formatShape(x.shape)} of bool`);
  return cumSumOp([x], { axis: normalizeAxis('cumSum', axis, x.rank), reverse: options.reverse ?? false });
};

const cumSumOp = defineOp<[x: Tensor], { readonly axis: number; readonly reverse: boolean }>({
  name: 'cumSum',
  cheap: true,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit: (onnx, [x], { attrs }) =>
    onnx.node('CumSum', [x!, onnx.scalar(attrs.axis, 'int64')], { reverse: attrs.reverse ? 1 : 0 }),
  vjp: (dy, { attrs }) => [cumSum(dy, attrs.axis, { reverse: !attrs.reverse })],
});

/** Broadcasts to the given shape. */
export const expand = (x: Tensor, shape: Shape): Tensor => (shapesEqual(x.shape, shape) ? x : expandOp([x], { shape }));

const expandOp = defineOp<[x: Tensor], { readonly shape: Shape }>({
  name: 'expand',
  cheap: true,
  infer([x], { shape }) {
    if (!shapesEqual(broadcastShapes('expand', x.shape, shape), shape))
      throw new ShapeError('expand', `${formatShape(x.shape)} does not broadcast to ${formatShape(shape)}`);
    return { shape, dtype: x.dtype };
  },
  // ONNX Runtime 1.30 ignores an Expand from 1 to a constant 0; an empty result can come from any value.
  emit: (onnx, [x], { outputs: [out], attrs: { shape } }) =>
    onnx.node('Expand', [shape.includes(0) ? onnx.scalar(0, out!.dtype) : x!, onnx.dims(shape)]),
  // `sumToShape` sums dy over the broadcast axes.
  vjp: (dy) => [dy],
});

/** Sums dy over the axes along which a value of `shape` was broadcast. Throws if dy is not a broadcast of `shape`. */
export const sumToShape = (dy: Tensor, shape: Shape): Tensor => {
  if (shapesEqual(dy.shape, shape)) return dy;
  const lead = dy.rank - shape.length;
  if (lead < 0 || !shape.every((dim, axis) => dim === 1 || dimsEqual(dim, dy.shape[axis + lead]!))) {
    throw new Error(
      `internal: a gradient of shape ${formatShape(dy.shape)} is not a broadcast of ${formatShape(shape)}`,
    );
  }
  const axes = dy.shape.flatMap((dim, axis) => (axis < lead || (shape[axis - lead] === 1 && dim !== 1) ? [axis] : []));
  return reshape(sum(dy, axes, { keepDims: true }), shape);
};
