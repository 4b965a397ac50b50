import type { Tensor } from '../engine/graph/index.ts';
import { add, div, greater, logSumExp, matmul, mul, neg, sum, swapLastTwo, where } from '../engine/ops/index.ts';
import type { MatchedPairs } from './matched-pairs.ts';
import type { LossTerms } from './terms.ts';

/**
 * Contrastive alignment (section 2.2 of the paper): a matched query's vector shall be near those of its box's tokens
 * and far from all other tokens of the caption, padding included; and a token's vector near those of its boxes' queries
 * and far from all other queries.
 *
 * @param projQueries (L, B, Q, 64) and projTokens (B, T, 64), vectors of length 1
 * @param alignmentMap (N, T) 0 and 1
 */
export const contrastiveAlignLoss = (
  projQueries: Tensor,
  projTokens: Tensor,
  alignmentMap: Tensor,
  pairs: MatchedPairs,
  numBoxes: Tensor,
  temperature: number,
): LossTerms => {
  const logits = div(matmul(projQueries, swapLastTwo(projTokens)), temperature); // (L, B, Q, T)
  const positive = pairs.targetsByQuery(alignmentMap);
  const boxToTokens = contrast(logits, positive, 3);
  const tokenToBoxes = contrast(logits, positive, 2);
  return { loss_contrastive_align: div(mul(add(boxToTokens, tokenToBoxes), 0.5), numBoxes) };
};

/** Σ over rows with positives along the axis: −mean of their positive logits + log Σ exp of all → (L). */
const contrast = (logits: Tensor, positive: Tensor, axis: 2 | 3): Tensor => {
  const count = sum(positive, [axis]);
  const attraction = div(neg(sum(mul(logits, positive), [axis])), add(count, 1e-6));
  return sum(where(greater(count, 0), add(attraction, logSumExp(logits, [axis])), 0), [1, 2]);
};
