import { defineMultiOp, defineOp, ShapeError } from '../graph/define-op.ts';
import { dimsEqual, mulDims, type Dim } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { dimValue, fill } from './constant.ts';
import { add, cast, div, maximum, mul, rsqrt, sqrt, sub } from './elementwise.ts';
import { gemm } from './gemm.ts';
import { mean, sum, sumRows } from './reduce.ts';
import { reshape } from './reshape.ts';

interface LayerNormAttrs {
  readonly epsilon: number;
}

/** Layer norm over the last axis (arXiv:1607.06450): x (…, D), scale and shift (D). */
export const layerNorm = (x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor =>
  layerNormOp([x, scale, shift], { epsilon })[0]!;

/** Outputs: the normalized values, and the mean and 1/σ of every row. */
const layerNormOp = defineMultiOp<[x: Tensor, scale: Tensor, shift: Tensor], LayerNormAttrs>({
  name: 'layerNorm',
  cheap: false,
  infer([x, scale, shift]) {
    const features = x.shape.at(-1) ?? 0;
    if (
      x.rank < 1 ||
      scale.rank !== 1 ||
      shift.rank !== 1 ||
      !dimsEqual(scale.shape[0]!, features) ||
      !dimsEqual(shift.shape[0]!, features)
    ) {
      throw new ShapeError('layerNorm', `${x.toString()} with scale ${scale.toString()} and shift ${shift.toString()}`);
    }
    // ONNX computes these in float32, whatever the type of x.
    const rows = { shape: [...x.shape.slice(0, -1), 1], dtype: 'float32' } as const;
    return [{ shape: x.shape, dtype: x.dtype }, rows, rows];
  },
  emit: (onnx, inputs, { attrs }) =>
    onnx.node(
      'LayerNormalization',
      inputs,
      { axis: -1, epsilon: { float: attrs.epsilon } },
      { outputs: 3, optionalOutputs: true },
    ),
  vjp([dy], { inputs: [x, scale, shift], attrs, needs }) {
    if (dy === undefined) return [undefined, undefined, undefined];
    const features = x.shape.at(-1)!;
    const rows = [mulDims(...x.shape.slice(0, -1)), features];
    const [flatDy, flatX] = [reshape(dy, rows), reshape(x, rows)];
    // One node gives x̂ and 1/σ; from the mean of the forward pass it would take a subtraction and a product.
    const [normalized, , inverse] = layerNormOp(
      [flatX, fill(1, [features], x.dtype), fill(0, [features], x.dtype)],
      attrs,
    );
    const product = mul(flatDy, normalized!);
    let dx: Tensor | undefined;
    if (needs(0)) {
      // 1/σ · (g − mean(g) − x̂ · mean(g ⊙ x̂)) with g = dy ⊙ scale. The means are products with scale / D: they read what
      // is there anyway instead of writing g ⊙ x̂.
      const weights = reshape(div(scale, cast(dimValue(features), scale.dtype)), [features, 1]);
      const means = add(mul(normalized!, gemm(product, weights)), gemm(flatDy, weights));
      dx = reshape(mul(sub(mul(flatDy, scale), means), cast(inverse!, x.dtype)), x.shape);
    }
    return [
      dx,
      needs(1) ? reshape(sumRows(reshape(product, x.shape)), scale.shape) : undefined,
      needs(2) ? reshape(sumRows(dy), shift.shape) : undefined,
    ];
  },
});

/**
 * L2 normalization along the last axis: x / max(‖x‖₂, ε), as torch.nn.functional.normalize. The maximum is taken under
 * the square root, so that the derivative of a row of zeros is finite.
 */
export const l2Normalize = (x: Tensor, epsilon = 1e-12): Tensor =>
  div(x, sqrt(maximum(sum(mul(x, x), [-1], { keepDims: true }), epsilon * epsilon)));

/** (x − mean) / √(variance + ε) over the last axis of x (B, G, N), with biased variance. */
const standardizeRows = (x: Tensor, epsilon: number): Tensor => standardizeRowsOp([x], { epsilon });

const standardizeRowsOp = defineOp<[x: Tensor], LayerNormAttrs>({
  name: 'standardizeRows',
  cheap: false,
  infer([x]) {
    if (x.rank !== 3) throw new ShapeError('standardizeRows', `needs (B, G, N), got ${x.toString()}`);
    return { shape: x.shape, dtype: x.dtype };
  },
  emit(onnx, [x], { inputs: [tensor], attrs }) {
    const groups = tensor.shape[1]!;
    if (typeof groups !== 'number')
      throw new ShapeError('standardizeRows', 'the number of groups must not be symbolic');
    const one = onnx.node('Expand', [onnx.scalar(1, tensor.dtype), onnx.int64s([groups])]);
    const zero = onnx.node('Expand', [onnx.scalar(0, tensor.dtype), onnx.int64s([groups])]);
    return onnx.node('InstanceNormalization', [x!, one[0]!, zero[0]!], { epsilon: { float: attrs.epsilon } });
  },
  vjp: 'none',
});

/** Group norm (arXiv:1803.08494): x (B, C, h, w), scale and shift (C). */
export const groupNorm = (x: Tensor, groups: number, scale: Tensor, shift: Tensor, epsilon: number): Tensor => {
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  if (channels % groups !== 0)
    throw new ShapeError('groupNorm', `${channels} channels cannot be divided into ${groups} groups`);
  const rows = reshape(x, [batch, groups, mulDims(channels / groups, height, width)]);
  const normalized = reshape(standardizeRows(rows, epsilon), x.shape);
  return groupNormOp([x, normalized, scale, shift], { groups, epsilon });
};

/**
 * Scales and shifts x̂, which the caller standardizes from x. It is cheap to recompute from x̂, and its gradient is that of
 * the whole norm with respect to x: the sums of dy and dy ⊙ x̂ over a channel give every mean that the gradient needs.
 */
const groupNormOp = defineOp<
  [x: Tensor, normalized: Tensor, scale: Tensor, shift: Tensor],
  { readonly groups: number; readonly epsilon: number }
>({
  name: 'groupNorm',
  cheap: true,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit(onnx, [, normalized, scale, shift], { inputs: [x] }) {
    const perChannel = onnx.int64s([x.shape[1] as number, 1, 1]);
    const [gain] = onnx.node('Reshape', [scale!, perChannel]);
    const [offset] = onnx.node('Reshape', [shift!, perChannel]);
    const [scaled] = onnx.node('Mul', [normalized!, gain!]);
    return onnx.node('Add', [scaled!, offset!]);
  },
  vjp(dy, { inputs: [x, normalized, scale], attrs: { groups, epsilon }, needs }) {
    const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
    const ofChannel = [sum(dy, [2, 3]), sum(mul(dy, normalized), [2, 3])] as const; // (B, C)
    let dx: Tensor | undefined;
    if (needs(0)) {
      const size = mulDims(channels / groups, height, width);
      const rows = reshape(x, [batch, groups, size]);
      const centered = sub(rows, mean(rows, [2], { keepDims: true }));
      const inverse = rsqrt(add(mean(mul(centered, centered), [2], { keepDims: true }), epsilon)); // (B, G, 1)
      const perElement = div(inverse, cast(dimValue(size), x.dtype));
      const [first, second] = ofChannel.map((values) =>
        mul(sum(reshape(mul(values, scale), [batch, groups, channels / groups]), [2], { keepDims: true }), perElement),
      );
      const gains = reshape(mul(inverse, reshape(scale, [groups, channels / groups])), [batch, channels, 1, 1]);
      // 1/σ · (g − mean(g) − x̂ · mean(g ⊙ x̂)) with g = dy ⊙ scale
      const means = add(mul(reshape(normalized, rows.shape), second!), first!);
      dx = sub(mul(dy, gains), reshape(means, x.shape));
    }
    return [
      dx,
      undefined,
      needs(2) ? sum(ofChannel[1], [0]) : undefined,
      needs(3) ? sum(ofChannel[0], [0]) : undefined,
    ];
  },
});
