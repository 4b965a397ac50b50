import type { Shape, Tensor } from '../engine/graph/index.ts';
import {
  attendScores,
  biasedScores,
  linear,
  literal,
  matmul,
  mergeAxes,
  mul,
  reshape,
  split,
  splitAxis,
  transpose,
  unsqueeze,
  where,
} from '../engine/ops/index.ts';
import type { Dropout } from './dropout.ts';
import { xavierUniform, zeros } from './init.ts';
import { Linear } from './linear.ts';
import type { Scope } from './scope.ts';

/** Attention bias, added to the scores: (B, 1, 1, S), −∞ (or a large negative number) on masked keys. */
export type AttentionBias = Tensor;

/** Attention bias of a padding mask: (B, S), true on padding → (B, 1, 1, S), −∞ on padding. */
export const paddingBias = (paddingMask: Tensor): AttentionBias => {
  const [batch, length] = paddingMask.shape;
  return reshape(where(paddingMask, Number.NEGATIVE_INFINITY, 0), [batch!, 1, 1, length!]);
};

const splitHeads = (x: Tensor, heads: number): Tensor => {
  const features = x.shape[2] as number;
  return transpose(splitAxis(x, 2, [heads, features / heads]), [0, 2, 1, 3]); // (B, L, D) → (B, heads, L, D/heads)
};

/** Attention scores q kᵀ + bias, for queries (B, L, D) that are scaled by 1/√d and keys (B, S, D) → (B, heads, L, S). */
const attentionScores = (q: Tensor, k: Tensor, heads: number, bias: AttentionBias | undefined): Tensor => {
  const keys = transpose(splitAxis(k, 2, [heads, (k.shape[2] as number) / heads]), [0, 2, 3, 1]); // (B, heads, D/heads, S)
  const queries = splitHeads(q, heads);
  return bias === undefined ? matmul(queries, keys) : biasedScores(queries, keys, bias); // (B, heads, L, S)
};

/** Result of attention, and what it attends to. */
export interface Attended {
  /** (B, L, D). */
  readonly output: Tensor;
  /** Probabilities before dropout, (B, heads, L, S). */
  readonly probabilities: Tensor;
}

/**
 * Scaled dot-product attention (arXiv:1706.03762, equation 1): softmax(q kᵀ / √d + bias) v for k, v (B, S, D).
 *
 * @param q queries (B, L, D), scaled by {@link queryScale} already
 * @param keep dropout mask of the probabilities, of the shape that it gets
 */
export const attend = (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  heads: number,
  bias: AttentionBias | undefined,
  keep: (shape: Shape) => Tensor | undefined,
): Attended => {
  const scores = attentionScores(q, k, heads, bias);
  const { context, probabilities } = attendScores(scores, splitHeads(v, heads), keep(scores.shape));
  return { output: mergeAxes(transpose(context, [0, 2, 1, 3]), 2, 3), probabilities }; // (B, L, heads, D/heads) → (B, L, D)
};

/**
 * Factor of the queries, 1/√d for heads of d features. Callers multiply the weights of the query projection with it: that
 * costs nothing at inference, and less than scaling the queries in training.
 */
export const queryScale = (features: number, heads: number): number => 1 / Math.sqrt(features / heads);

/** Multi-head attention with the parameters of torch.nn.MultiheadAttention: one input projection for q, k and v. */
export class MultiHeadAttention {
  private readonly inProjWeight: Tensor;
  private readonly inProjBias: Tensor;
  private readonly outProj: Linear;

  constructor(
    scope: Scope,
    private readonly features: number,
    private readonly heads: number,
    private readonly dropoutRate: number,
  ) {
    this.inProjWeight = scope.parameter('in_proj_weight', [3 * features, features], xavierUniform);
    this.inProjBias = scope.parameter('in_proj_bias', [3 * features], zeros);
    this.outProj = new Linear(scope.at('out_proj'), features, features, { init: xavierUniform, biasInit: zeros });
  }

  /** Attends from query (B, L, D) to key and value (B, S, D). */
  forward(query: Tensor, key: Tensor, value: Tensor, bias: AttentionBias | undefined, dropout: Dropout): Attended {
    const { q, k } = this.queriesAndKeys(query, key);
    const v = this.project(value, 'v');
    const attended = attend(q, k, v, this.heads, bias, (shape) => dropout.mask(shape, this.dropoutRate));
    return { ...attended, output: this.outProj.forward(attended.output) };
  }

  private queriesAndKeys(query: Tensor, key: Tensor): { readonly q: Tensor; readonly k: Tensor } {
    if (query !== key) return { q: this.project(query, 'q'), k: this.project(key, 'k') };
    const { features } = this;
    const [q, k] = split(this.project(query, 'qk'), 2, [features, features]); // one product for q and k
    return { q: q!, k: k! };
  }

  /** Projects x with a part of the joint input projection; queries come out scaled. */
  private project(x: Tensor, part: 'q' | 'k' | 'v' | 'qk'): Tensor {
    const { features } = this;
    const sizes = part === 'qk' || part === 'v' ? [2 * features, features] : [features, features, features];
    const index = { q: 0, k: 1, qk: 0, v: sizes.length - 1 }[part];
    const [weight, bias] = [this.inProjWeight, this.inProjBias].map((joint) => split(joint, 0, sizes)[index]!);
    if (part === 'k' || part === 'v') return linear(x, weight!, bias);
    const factors = new Array<number>(features).fill(queryScale(features, this.heads));
    if (part === 'qk') factors.push(...new Array<number>(features).fill(1));
    const scales = literal(factors, [factors.length]);
    return linear(x, mul(weight!, unsqueeze(scales, 1)), mul(bias!, scales));
  }
}
