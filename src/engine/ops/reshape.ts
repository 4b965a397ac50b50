import { defineOp, ShapeError } from '../graph/define-op.ts';
import { dimsEqual, formatShape, mulDims, shapesEqual, sizeOf, type Shape } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { normalizeAxis } from './broadcast.ts';

/** Reshapes without moving elements. The number of elements must provably be equal. A reshape of a reshape is one. */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  if (shapesEqual(x.shape, shape)) return x;
  const { node } = x;
  return node.kind === 'op' && node.op.name === 'reshape' ? reshape(node.inputs[0]!, shape) : reshapeOp([x], { shape });
};

const reshapeOp = defineOp<[x: Tensor], { readonly shape: Shape }>({
  name: 'reshape',
  cheap: 'view',
  infer([x], { shape }) {
    if (!dimsEqual(sizeOf(x.shape), sizeOf(shape)))
      throw new ShapeError(
        'reshape',
        `${formatShape(x.shape)} does not have as many elements as ${formatShape(shape)}`,
      );
    return { shape, dtype: x.dtype };
  },
  emit(onnx, [x], { inputs: [tensor], attrs: { shape } }) {
    // In ONNX, 0 copies the size of the same axis and one −1 is inferred; both keep the shape constant.
    const codes = shape.map((dim, axis) =>
      typeof dim === 'number' ? dim : axis < tensor.rank && dimsEqual(dim, tensor.shape[axis]!) ? 0 : -1,
    );
    // With a size that may be 0, −1 cannot be inferred.
    const found = codes.filter((code) => code === -1).length;
    const isConstant = !shape.includes(0) && (found === 0 || (found === 1 && !codes.includes(0)));
    return isConstant
      ? onnx.node('Reshape', [x!, onnx.int64s(codes)])
      : onnx.node('Reshape', [x!, onnx.dims(shape)], { allowzero: 1 });
  },
  vjp: (dy, { inputs: [x] }) => [reshape(dy, x.shape)],
});

/** Merges the axes from `first` to `last` (inclusive) into one. */
export const mergeAxes = (x: Tensor, first: number, last: number): Tensor => {
  const from = normalizeAxis('mergeAxes', first, x.rank);
  const to = normalizeAxis('mergeAxes', last, x.rank);
  if (to < from) throw new ShapeError('mergeAxes', `axis ${last} precedes axis ${first} of ${formatShape(x.shape)}`);
  return reshape(x, [...x.shape.slice(0, from), mulDims(...x.shape.slice(from, to + 1)), ...x.shape.slice(to + 1)]);
};

/** Splits one axis into several. */
export const splitAxis = (x: Tensor, axis: number, sizes: Shape): Tensor => {
  const at = normalizeAxis('splitAxis', axis, x.rank);
  return reshape(x, [...x.shape.slice(0, at), ...sizes, ...x.shape.slice(at + 1)]);
};

/** Inserts an axis of size 1 before `axis`; −1 appends it. */
export const unsqueeze = (x: Tensor, axis: number): Tensor => {
  const at = normalizeAxis('unsqueeze', axis, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
};

/** Removes an axis of size 1. */
export const squeeze = (x: Tensor, axis: number): Tensor => {
  const at = normalizeAxis('squeeze', axis, x.rank);
  if (x.shape[at] !== 1) throw new ShapeError('squeeze', `axis ${axis} of ${formatShape(x.shape)} is not 1`);
  return reshape(x, [...x.shape.slice(0, at), ...x.shape.slice(at + 1)]);
};

/** Permutes the axes: output axis i is input axis `permutation[i]`. */
export const transpose = (x: Tensor, permutation: readonly number[]): Tensor =>
  permutation.length === x.rank && permutation.every((axis, index) => axis === index)
    ? x
    : transposeOp([x], { permutation });

const transposeOp = defineOp<[x: Tensor], { readonly permutation: readonly number[] }>({
  name: 'transpose',
  cheap: true,
  infer([x], { permutation }) {
    if (
      permutation.length !== x.rank ||
      new Set(permutation).size !== x.rank ||
      permutation.some((axis) => axis < 0 || axis >= x.rank)
    ) {
      throw new ShapeError(
        'transpose',
        `[${permutation.join(', ')}] is not a permutation of the axes of ${formatShape(x.shape)}`,
      );
    }
    return { shape: permutation.map((axis) => x.shape[axis]!), dtype: x.dtype };
  },
  emit: (onnx, inputs, { attrs }) => onnx.node('Transpose', inputs, { perm: attrs.permutation }),
  vjp: (dy, { attrs: { permutation } }) => [
    transpose(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
});

/** Transposes the last two axes: (…, M, N) -> (…, N, M). */
export const swapLastTwo = (x: Tensor): Tensor =>
  transpose(x, [...Array.from({ length: x.rank - 2 }, (_, axis) => axis), x.rank - 1, x.rank - 2]);
