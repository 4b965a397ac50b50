import { defineMultiOp, ShapeError } from '../graph/define-op.ts';
import { formatShape } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { normalizeAxis } from './broadcast.ts';
import { scatterAddElements } from './gather.ts';

/** The largest values along an axis, largest first, and their indices (int64). Of equal values the first comes first. */
export const topK = (x: Tensor, count: number, axis = -1): { readonly values: Tensor; readonly indices: Tensor } => {
  const [values, indices] = topKOp([x], { count, axis: normalizeAxis('topK', axis, x.rank) });
  return { values: values!, indices: indices! };
};

const topKOp = defineMultiOp<[x: Tensor], { readonly count: number; readonly axis: number }>({
  name: 'topK',
  cheap: false,
  infer([x], { count, axis }) {
    const length = x.shape[axis]!;
    if (typeof length === 'number' && count > length)
      throw new ShapeError('topK', `${count} values of ${formatShape(x.shape)} along axis ${axis}`);
    const shape = x.shape.map((dim, at) => (at === axis ? count : dim));
    return [
      { shape, dtype: x.dtype },
      { shape, dtype: 'int64' },
    ];
  },
  emit: (onnx, inputs, { attrs: { count, axis } }) =>
    onnx.node('TopK', [...inputs, onnx.int64s([count])], { axis, largest: 1, sorted: 1 }, { outputs: 2 }),
  vjp: ([dy], { inputs: [x], outputs: [, indices], attrs: { axis } }) => [
    dy === undefined ? undefined : scatterAddElements(x, indices!, dy, axis),
  ],
});
