import { defineMultiOp, defineOp, ShapeError } from '../graph/define-op.ts';
import { shapesEqual, type Dim } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { normalizeAxis } from './broadcast.ts';
import { fill } from './constant.ts';
import { add, exp, mul, sub } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { sum } from './reduce.ts';
import { swapLastTwo } from './reshape.ts';
import { concat } from './slice.ts';

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

/**
 * Attention scores with a bias of the keys: q k + bias, for q (B, heads, L, D), k (B, heads, D, S) and bias (B, 1, 1, S) →
 * (B, heads, L, S). The bias is one more summand of the product, which saves a pass over the scores.
 */
export const biasedScores = (q: Tensor, k: Tensor, bias: Tensor): Tensor => biasedScoresOp([q, k, bias], {});

const biasedScoresOp = defineOp<[q: Tensor, k: Tensor, bias: Tensor], object>({
  name: 'biasedScores',
  cheap: false,
  infer([q, k, bias]) {
    const [batch, heads, length, depth] = q.shape;
    const keys = k.shape[3];
    if (
      q.rank !== 4 ||
      k.rank !== 4 ||
      !shapesEqual(k.shape, [batch!, heads!, depth!, keys!]) ||
      !shapesEqual(bias.shape, [batch!, 1, 1, keys!]) ||
      [k, bias].some(({ dtype }) => dtype !== q.dtype)
    )
      throw new ShapeError(
        'biasedScores',
        `queries ${q.toString()} do not fit keys ${k.toString()} with bias ${bias.toString()}`,
      );
    return { shape: [batch!, heads!, length!, keys!], dtype: q.dtype };
  },
  emit(onnx, [q, k, bias], { inputs: [queries, keys] }) {
    const [batch, heads, length] = queries.shape as [Dim, Dim, Dim];
    const [ones] = onnx.node('Expand', [onnx.scalar(1, queries.dtype), onnx.dims([batch, heads, length, 1])]);
    const [biases] = onnx.node('Expand', [bias!, onnx.dims([batch, heads, 1, keys.shape[3]!])]);
    const [left] = onnx.node('Concat', [q!, ones!], { axis: 3 });
    const [right] = onnx.node('Concat', [k!, biases!], { axis: 2 });
    return onnx.node('MatMul', [left!, right!]);
  },
  vjp: (dy, { inputs: [q, k], needs }) => [
    needs(0) ? matmul(dy, swapLastTwo(k)) : undefined,
    needs(1) ? matmul(swapLastTwo(q), dy) : undefined,
    needs(2) ? dy : undefined,
  ],
});

/** Result of {@link attendScores}. */
export interface AttendedScores {
  /** Weighted values, (…, L, D). */
  readonly context: Tensor;
  /** Probabilities before dropout, (…, L, S). */
  readonly probabilities: Tensor;
}

/**
 * Attention of given scores: softmax(scores) ⊙ keep @ values, for scores (…, L, S), values (…, S, D) and an optional
 * dropout mask `keep` like the scores.
 */
export const attendScores = (scores: Tensor, values: Tensor, keep?: Tensor): AttendedScores => {
  const [context, probabilities] = attendScoresOp(keep === undefined ? [scores, values] : [scores, values, keep], {});
  return { context: context!, probabilities: probabilities! };
};

/** Outputs: the weighted values, and the probabilities before dropout, which the gradient reads. */
const attendScoresOp = defineMultiOp<readonly Tensor[], object>({
  name: 'attendScores',
  cheap: false,
  infer([scores, values, keep]) {
    const [s, v] = [scores!.shape, values!.shape];
    if (
      s.length < 2 ||
      !shapesEqual([...s.slice(0, -2), s.at(-1)!], v.slice(0, -1)) ||
      scores!.dtype !== values!.dtype ||
      (keep !== undefined && !(shapesEqual(keep.shape, s) && keep.dtype === scores!.dtype))
    )
      throw new ShapeError(
        'attendScores',
        `scores ${scores!.toString()} do not fit values ${values!.toString()}${keep === undefined ? '' : ` and mask ${keep.toString()}`}`,
      );
    return [
      { shape: [...s.slice(0, -1), v.at(-1)!], dtype: scores!.dtype },
      { shape: s, dtype: scores!.dtype },
    ];
  },
  emit(onnx, [scores, values, keep], { inputs: [tensor] }) {
    const [probabilities] = onnx.node('Softmax', [scores!], { axis: tensor!.rank - 1 });
    const [kept] = keep === undefined ? [probabilities] : onnx.node('Mul', [probabilities!, keep]);
    const [weighted] = onnx.node('MatMul', [kept!, values!]);
    return [weighted!, probabilities!];
  },
  vjp([dy, dProbabilities], { inputs: [, values, keep], outputs: [weighted, probabilities], needs }) {
    // p ⊙ (dp − Σ dp ⊙ p), where the sum over the keys is dy · y: it is taken over D instead of S values per row.
    const rowSum = (a: Tensor, b: Tensor): Tensor => sum(mul(a, b), [a.rank - 1], { keepDims: true });
    if (dy === undefined) {
      const dp = dProbabilities!;
      const gradient = needs(0) ? mul(probabilities!, sub(dp, rowSum(dp, probabilities!))) : undefined;
      return [gradient, undefined, undefined];
    }
    const kept = keep === undefined ? probabilities! : mul(probabilities!, keep);
    const ofValues = rowSum(dy, weighted!);
    const rowSums = dProbabilities === undefined ? ofValues : add(ofValues, rowSum(dProbabilities, probabilities!));
    const centered = (): Tensor => {
      if (keep !== undefined) return sub(mul(matmul(dy, swapLastTwo(values!)), keep), rowSums);
      const [queries, depth] = dy.shape.slice(-2) as [Dim, Dim];
      if (typeof queries === 'number' && typeof depth === 'number' && queries < 2 * depth)
        return sub(matmul(dy, swapLastTwo(values!)), rowSums);
      // The subtraction as one more summand of the product saves a pass over the scores.
      const minusOnes = fill(-1, [...values!.shape.slice(0, -1), 1], dy.dtype);
      return matmul(concat([dy, rowSums], -1), swapLastTwo(concat([values!, minusOnes], -1)));
    };
    const ofScores = (): Tensor =>
      mul(probabilities!, dProbabilities === undefined ? centered() : add(centered(), dProbabilities));
    return [
      needs(0) ? ofScores() : undefined,
      needs(1) ? matmul(swapLastTwo(kept), dy) : undefined,
      needs(2) ? mul(matmul(dy, swapLastTwo(values!)), probabilities!) : undefined,
    ];
  },
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
