import { defineOp, ShapeError } from '../graph/define-op.ts';
import { dimsEqual, formatShape, type Dim } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { normalizeAxis } from './broadcast.ts';
import { cast, equal, where } from './elementwise.ts';
import { fill, iota } from './constant.ts';
import { mergeAxes, reshape, transpose, unsqueeze } from './reshape.ts';

const requireIndices = (op: string, indices: Tensor): void => {
  if (indices.dtype !== 'int64' && indices.dtype !== 'int32')
    throw new ShapeError(op, `indices must be integers, not ${indices.toString()}`);
};

/** Gathers slices of x along an axis, which is replaced by the axes of `indices`. */
export const gather = (x: Tensor, indices: Tensor, axis = 0): Tensor =>
  gatherOp([x, indices], { axis: normalizeAxis('gather', axis, x.rank) });

/** Embedding lookup: table (V, D), indices (…) → (…, D). Row `paddingIndex` gets no gradient, as in torch.nn.Embedding. */
export const lookUp = (table: Tensor, indices: Tensor, paddingIndex?: number): Tensor =>
  gatherOp([table, indices], { axis: 0, paddingIndex });

const gatherOp = defineOp<[x: Tensor, indices: Tensor], { readonly axis: number; readonly paddingIndex?: number }>({
  name: 'gather',
  cheap: true,
  infer([x, indices], { axis }) {
    requireIndices('gather', indices);
    return { shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], dtype: x.dtype };
  },
  emit: (onnx, inputs, { attrs }) => onnx.node('Gather', inputs, { axis: attrs.axis }),
  vjp(cotangent, { inputs: [x, indices], attrs: { axis, paddingIndex } }) {
    const dy =
      paddingIndex === undefined ? cotangent : where(unsqueeze(equal(indices, paddingIndex), -1), 0, cotangent);
    // Move the gathered axes to the front, scatter-add the rows, and move the axis back.
    const indexAxes = Array.from({ length: indices.rank }, (_, k) => axis + k);
    const others = Array.from({ length: dy.rank }, (_, k) => k).filter((k) => !indexAxes.includes(k));
    const front = transpose(dy, [...indexAxes, ...others]);
    const rows = indices.rank === 0 ? unsqueeze(front, 0) : mergeAxes(front, 0, indices.rank - 1);
    const flat = reshape(indices, [rows.shape[0]!]);
    const summed = scatterAddRows(x.shape[axis]!, flat, rows);
    const back = Array.from({ length: x.rank }, (_, k) => (k === axis ? 0 : k < axis ? k + 1 : k));
    return [transpose(summed, back), undefined];
  },
});

/** Scatter-add into `count` rows of zeros: rows[i] is added to row indices[i]; indices (N), rows (N, …) → (count, …). */
export const scatterAddRows = (count: Dim, indices: Tensor, rows: Tensor): Tensor =>
  scatterAddRowsOp([indices, rows], { count });

/** Indices and rows that a tensor is the `scatterAddRows` of; undefined for other tensors. */
export const scatteredRows = ({ node }: Tensor): { readonly indices: Tensor; readonly rows: Tensor } | undefined =>
  node.kind === 'op' && node.op.name === 'scatterAddRows'
    ? { indices: node.inputs[0]!, rows: node.inputs[1]! }
    : undefined;

const scatterAddRowsOp = defineOp<[indices: Tensor, rows: Tensor], { readonly count: Dim }>({
  name: 'scatterAddRows',
  cheap: false,
  infer([indices, rows], { count }) {
    requireIndices('scatterAddRows', indices);
    if (indices.rank !== 1 || rows.rank < 1 || !dimsEqual(indices.shape[0]!, rows.shape[0]!)) {
      throw new ShapeError(
        'scatterAddRows',
        `indices ${formatShape(indices.shape)} for rows ${formatShape(rows.shape)}`,
      );
    }
    return { shape: [count, ...rows.shape.slice(1)], dtype: rows.dtype };
  },
  emit(onnx, [indices, rows], { inputs: [, rowsTensor], outputs: [result] }) {
    const zeros = onnx.node('Expand', [onnx.scalar(0, rowsTensor.dtype), onnx.dims(result!.shape)]);
    const wide = onnx.node('Cast', [indices!], { to: { dtype: 'int64' } });
    const column = onnx.node('Unsqueeze', [wide[0]!, onnx.int64s([1])]);
    return onnx.node('ScatterND', [zeros[0]!, column[0]!, rows!], { reduction: 'add' });
  },
  vjp: (dy, { inputs: [indices] }) => [undefined, gather(dy, indices, 0)],
});

/** out[…, i, …] = x[…, indices[…, i, …], …] along one axis, as `torch.gather`; the other sizes are equal. */
export const gatherElements = (x: Tensor, indices: Tensor, axis: number): Tensor =>
  gatherElementsOp([x, indices], { axis: normalizeAxis('gatherElements', axis, x.rank) });

const gatherElementsOp = defineOp<[x: Tensor, indices: Tensor], { readonly axis: number }>({
  name: 'gatherElements',
  cheap: true,
  infer([x, indices], { axis }) {
    requireIndices('gatherElements', indices);
    const fits = indices.shape.every((dim, at) => at === axis || dimsEqual(dim, x.shape[at] ?? -1));
    if (indices.rank !== x.rank || !fits)
      throw new ShapeError(
        'gatherElements',
        `indices ${formatShape(indices.shape)} for ${formatShape(x.shape)} along axis ${axis}`,
      );
    return { shape: indices.shape, dtype: x.dtype };
  },
  emit: (onnx, inputs, { attrs }) => onnx.node('GatherElements', inputs, { axis: attrs.axis }),
  vjp: (dy, { inputs: [x, indices], attrs: { axis } }) => [scatterAddElements(x, indices, dy, axis), undefined],
});

/** Scatter-add of `updates` into zeros of the given shape, the adjoint of `gatherElements`. */
export const scatterAddElements = (like: Tensor, indices: Tensor, updates: Tensor, axis: number): Tensor =>
  scatterAddElementsOp([indices, updates], { axis, shape: like.shape });

const scatterAddElementsOp = defineOp<
  [indices: Tensor, updates: Tensor],
  { readonly axis: number; readonly shape: Tensor['shape'] }
>({
  name: 'scatterAddElements',
  cheap: false,
  infer: ([, updates], { shape }) => ({ shape, dtype: updates.dtype }),
  emit(onnx, [indices, updates], { inputs: [, tensor], attrs: { axis, shape } }) {
    const zeros = onnx.node('Expand', [onnx.scalar(0, tensor.dtype), onnx.dims(shape)]);
    return onnx.node('ScatterElements', [zeros[0]!, indices!, updates!], { axis, reduction: 'add' });
  },
  vjp: (dy, { inputs: [indices], attrs: { axis } }) => [undefined, gatherElements(dy, indices, axis)],
});

/** Scatter-add of values (N) at flat indices (N) into zeros (count). */
export const scatterAddFlat = (count: Dim, indices: Tensor, values: Tensor): Tensor =>
  scatterAddElements(fill(0, [count], values.dtype), indices, values, 0);

/** One-hot encoding: indices (…) → (…, classes). */
export const oneHot = (indices: Tensor, classes: Dim): Tensor => {
  const kind = indices.dtype === 'int32' ? 'int32' : 'int64';
  return cast(equal(unsqueeze(indices, -1), iota(classes, kind)), 'float32');
};
