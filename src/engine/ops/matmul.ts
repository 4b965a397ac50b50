import { defineOp, ShapeError } from '../graph/define-op.ts';
import { dimsEqual, formatShape } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { broadcastShapes } from './broadcast.ts';
import { mergeAxes, swapLastTwo } from './reshape.ts';

/** Matrix product over the last two axes: (…, M, K) @ (…, K, N) → (…, M, N); leading axes broadcast. */
export const matmul = (a: Tensor, b: Tensor): Tensor => matmulOp([a, b], {});

const matmulOp = defineOp<[a: Tensor, b: Tensor], object>({
  name: 'matmul',
  cheap: false,
  infer([a, b]) {
    if (a.rank < 2 || b.rank < 2 || a.dtype !== b.dtype)
      throw new ShapeError('matmul', `cannot multiply ${a.toString()} and ${b.toString()}`);
    if (!dimsEqual(a.shape.at(-1)!, b.shape.at(-2)!))
      throw new ShapeError('matmul', `inner sizes differ: ${formatShape(a.shape)} @ ${formatShape(b.shape)}`);
    const lead = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
    return { shape: [...lead, a.shape.at(-2)!, b.shape.at(-1)!], dtype: a.dtype };
  },
  emit: (onnx, inputs) => onnx.node('MatMul', inputs),
  vjp(dy, { inputs: [a, b], needs }) {
    const da = needs(0) ? matmul(dy, swapLastTwo(b)) : undefined; // dY Bᵀ
    if (!needs(1)) return [da, undefined];
    // Aᵀ dY. For a weight shared by all leading indices: one tall product instead of one per index and their sum.
    if (b.rank === 2 && a.rank > 2) {
      return [da, matmul(swapLastTwo(mergeAxes(a, 0, a.rank - 2)), mergeAxes(dy, 0, dy.rank - 2))];
    }
    return [da, matmul(swapLastTwo(a), dy)];
  },
});
