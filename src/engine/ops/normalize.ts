import { defineMultiOp, defineOp, ShapeError } from '../graph/define-op.ts';
import { dimsEqual, mulDims, type Dim } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { add, cast, div, maximum, mul, reciprocal, sqrt, sub } from './elementwise.ts';
import { mean, sum } from './reduce.ts';
import { reshape } from './reshape.ts';

interface LayerNormAttrs {
  readonly epsilon: number;
}

/** Layer norm over the last axis (arXiv:1607.06450): x (…, D), scale and shift (D). */
export const layerNorm = (x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor =>
  layerNormOp([x, scale, shift], { epsilon })[0]!;

/** Outputs: the normalized values, and the mean and 1/σ of every row, which the gradient reads. */
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
  vjp([dy], { inputs: [x, scale, shift], outputs: [, rowMean, rowInverseDeviation], needs }) {
    if (dy === undefined) return [undefined, undefined, undefined];
    const inverseDeviation = cast(rowInverseDeviation!, x.dtype);
    const normalized = mul(sub(x, cast(rowMean!, x.dtype)), inverseDeviation);
    const overRows = (values: Tensor): Tensor =>
      reshape(
        sum(
          values,
          Array.from({ length: x.rank - 1 }, (_, axis) => axis),
        ),
        shift.shape,
      );
    let dx: Tensor | undefined;
    if (needs(0)) {
      // 1/σ · (g − mean(g) − x̂ · mean(g ⊙ x̂)) with g = dy ⊙ scale
      const g = mul(dy, scale);
      const centered = sub(g, mean(g, [-1], { keepDims: true }));
      dx = mul(sub(centered, mul(normalized, mean(mul(g, normalized), [-1], { keepDims: true }))), inverseDeviation);
    }
    return [dx, needs(1) ? overRows(mul(dy, normalized)) : undefined, needs(2) ? overRows(dy) : undefined];
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
  vjp(dy, { inputs: [x], output, attrs }) {
    const centered = sub(x, mean(x, [2], { keepDims: true }));
    const inverseDeviation = reciprocal(
      sqrt(add(mean(mul(centered, centered), [2], { keepDims: true }), attrs.epsilon)),
    );
    const inner = sub(
      sub(dy, mean(dy, [2], { keepDims: true })),
      mul(output, mean(mul(dy, output), [2], { keepDims: true })),
    );
    return [mul(inner, inverseDeviation)];
  },
});

/** Group norm (arXiv:1803.08494): x (B, C, h, w), scale and shift (C). */
export const groupNorm = (x: Tensor, groups: number, scale: Tensor, shift: Tensor, epsilon: number): Tensor => {
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  if (channels % groups !== 0)
    throw new ShapeError('groupNorm', `${channels} channels cannot be divided into ${groups} groups`);
  const rows = reshape(x, [batch, groups, mulDims(channels / groups, height, width)]);
  const normalized = reshape(standardizeRows(rows, epsilon), x.shape);
  return add(mul(normalized, reshape(scale, [channels, 1, 1])), reshape(shift, [channels, 1, 1]));
};
