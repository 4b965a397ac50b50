import { defineOp } from '../graph/define-op.ts';
import type { Tensor } from '../graph/tensor.ts';
import { normalizeAxis } from './broadcast.ts';
import { exp, mul, sub } from './elementwise.ts';
import { sum } from './reduce.ts';

/** eˣ / Σ eˣ along an axis. */
export const softmax = (x: Tensor, axis = -1): Tensor =>
  softmaxOp([x], { axis: normalizeAxis('softmax', axis, x.rank) });

const softmaxOp = defineOp<[x: Tensor], { readonly axis: number }>({
  name: 'softmax',
  cheap: false,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit: (onnx, inputs, { attrs }) => onnx.node('Softmax', inputs, { axis: attrs.axis }),
  // y ⊙ (dy − Σ dy ⊙ y)
  vjp: (dy, { output: y, attrs: { axis } }) => [mul(y, sub(dy, sum(mul(dy, y), [axis], { keepDims: true })))],
});

/** log softmax along an axis. */
export const logSoftmax = (x: Tensor, axis = -1): Tensor =>
  logSoftmaxOp([x], { axis: normalizeAxis('logSoftmax', axis, x.rank) });

const logSoftmaxOp = defineOp<[x: Tensor], { readonly axis: number }>({
  name: 'logSoftmax',
  cheap: false,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit: (onnx, inputs, { attrs }) => onnx.node('LogSoftmax', inputs, { axis: attrs.axis }),
  vjp: (dy, { output, attrs: { axis } }) => [sub(dy, mul(exp(output), sum(dy, [axis], { keepDims: true })))],
});
