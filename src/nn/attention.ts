import type { Tensor } from '../engine/graph/index.ts';
import {
  add,
  linear,
  matmul,
  mergeAxes,
  mul,
  reshape,
  slice,
  softmax,
  splitAxis,
  transpose,
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

/** Attention probabilities, softmax(q kᵀ / √d + bias), for q (B, L, D), k (B, S, D) → (B, heads, L, S). */
const attentionProbabilities = (q: Tensor, k: Tensor, heads: number, bias: AttentionBias | undefined): Tensor => {
  const scale = 1 / Math.sqrt((q.shape[2] as number) / heads);
  const keys = transpose(splitAxis(k, 2, [heads, (k.shape[2] as number) / heads]), [0, 2, 3, 1]); // (B, heads, D/heads, S)
  const scores = matmul(splitHeads(mul(q, scale), heads), keys); // (B, heads, L, S)
  return softmax(bias === undefined ? scores : add(scores, bias));
};

/** Scaled dot-product attention (arXiv:1706.03762, equation 1): softmax(q kᵀ / √d + bias) v for q (B, L, D), k, v (B, S, D). */
export const attend = (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  heads: number,
  bias: AttentionBias | undefined,
  dropProbabilities: (x: Tensor) => Tensor,
): Tensor => {
  const probabilities = dropProbabilities(attentionProbabilities(q, k, heads, bias));
  const context = transpose(matmul(probabilities, splitHeads(v, heads)), [0, 2, 1, 3]); // (B, L, heads, D/heads)
  return mergeAxes(context, 2, 3);
};

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

  /** Attends from query (B, L, D) to key and value (B, S, D) → (B, L, D). */
  forward(query: Tensor, key: Tensor, value: Tensor, bias: AttentionBias | undefined, dropout: Dropout): Tensor {
    const { q, k } = this.queriesAndKeys(query, key);
    const v = this.project(value, 2, 3);
    const attended = attend(q, k, v, this.heads, bias, (x) => dropout(x, this.dropoutRate));
    return this.outProj.forward(attended);
  }

  /** Attention probabilities without dropout: query (B, L, D), key (B, S, D) → (B, heads, L, S). */
  probabilities(query: Tensor, key: Tensor, bias: AttentionBias | undefined): Tensor {
    const { q, k } = this.queriesAndKeys(query, key);
    return attentionProbabilities(q, k, this.heads, bias);
  }

  private queriesAndKeys(query: Tensor, key: Tensor): { readonly q: Tensor; readonly k: Tensor } {
    if (query !== key) return { q: this.project(query, 0, 1), k: this.project(key, 1, 2) };
    const { features } = this;
    const both = this.project(query, 0, 2); // one product for q and k
    return { q: slice(both, 2, 0, features), k: slice(both, 2, features, 2 * features) };
  }

  /** Projects x with a slice of the joint input projection. */
  private project(x: Tensor, from: number, to: number): Tensor {
    const { features } = this;
    return linear(
      x,
      slice(this.inProjWeight, 0, from * features, to * features),
      slice(this.inProjBias, 0, from * features, to * features),
    );
  }
}
