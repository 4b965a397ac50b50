import { defineOp, ShapeError } from '../graph/define-op.ts';
import { dimsEqual, formatShape, mulDims, type Dim, type Shape } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { reshape } from './reshape.ts';
import { sumRows } from './reduce.ts';

/** Attributes of a general matrix product. */
export interface GemmAttrs {
  /** Whether the first operand is transposed. */
  readonly transA: boolean;
  /** Whether the second operand is transposed. */
  readonly transB: boolean;
  /** Axes that the rows of the result merge. Default: none, the rows are one axis. */
  readonly rows?: Shape;
}

/** Matrix product with optional transposes and bias: A (M, K), B (K, N), bias (N) → (M, N). */
export const gemm = (
  a: Tensor,
  b: Tensor,
  { transA = false, transB = false, ...more }: Partial<GemmAttrs> = {},
  bias?: Tensor,
): Tensor => gemmOp(bias === undefined ? [a, b] : [a, b, bias], { transA, transB, ...more });

const gemmOp = defineOp<readonly Tensor[], GemmAttrs>({
  name: 'gemm',
  cheap: false,
  infer([a, b, bias], { transA, transB }) {
    if (a!.rank !== 2 || b!.rank !== 2 || a!.dtype !== b!.dtype)
      throw new ShapeError('gemm', `cannot multiply ${a!.toString()} and ${b!.toString()}`);
    const [rows, inner] = (transA ? [...a!.shape].reverse() : a!.shape) as [Dim, Dim];
    const [innerB, columns] = (transB ? [...b!.shape].reverse() : b!.shape) as [Dim, Dim];
    if (!dimsEqual(inner, innerB))
      throw new ShapeError(
        'gemm',
        `inner sizes differ: ${formatShape(a!.shape)}${transA ? 'ᵀ' : ''} @ ${formatShape(b!.shape)}${transB ? 'ᵀ' : ''}`,
      );
    if (bias !== undefined && (bias.rank !== 1 || !dimsEqual(bias.shape[0]!, columns) || bias.dtype !== a!.dtype))
      throw new ShapeError('gemm', `bias ${bias.toString()} for ${formatShape([rows, columns])}`);
    return { shape: [rows, columns], dtype: a!.dtype };
  },
  emit: (onnx, inputs, { attrs: { transA, transB } }) =>
    onnx.node('Gemm', inputs, { transA: transA ? 1 : 0, transB: transB ? 1 : 0 }),
  vjp(dy, { inputs: [a, b, bias], attrs: { transA, transB, rows }, needs }) {
    // With A′ = A or Aᵀ: dA′ = dY B′ᵀ and dB′ = A′ᵀ dY, written so that nothing is transposed in memory.
    const da = (): Tensor =>
      transA ? gemm(b!, dy, { transA: transB, transB: true }) : gemm(dy, b!, { transB: !transB });
    const db = (): Tensor =>
      transB ? gemm(dy, a!, { transA: true, transB: transA }) : gemm(a!, dy, { transA: !transA });
    const gradients = [needs(0) ? da() : undefined, needs(1) ? db() : undefined];
    const dBias = (): Tensor => sumRows(rows === undefined ? dy : reshape(dy, [...rows, dy.shape[1]!]));
    return bias === undefined ? gradients : [...gradients, needs(2) ? dBias() : undefined];
  },
});

/** Linear layer x Wᵀ + b over the last axis: x (…, in), weight (out, in), bias (out) → (…, out). */
export const linear = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
  if (x.rank < 1 || weight.rank !== 2 || !dimsEqual(x.shape.at(-1)!, weight.shape[1]!))
    throw new ShapeError('linear', `the weight ${weight.toString()} does not fit ${x.toString()}`);
  const lead = x.shape.slice(0, -1);
  const rows = reshape(x, [mulDims(...lead), x.shape.at(-1)!]);
  return reshape(gemm(rows, weight, { transB: true, rows: lead }, bias), [...lead, weight.shape[0]!]);
};
