import type { Tensor } from '../engine/graph/index.ts';
import { add, div, logSoftmax, mul, neg, slice, squeeze, sum } from '../engine/ops/index.ts';
import type { MatchedPairs } from './matched-pairs.ts';
import type { LossTerms } from './terms.ts';

/**
 * Soft-token prediction (section 2.2 of the paper): a matched query shall say its box's tokens, any other query "no
 * object", which counts `eosCoef` as much. Summed over tokens and queries, divided by the number of boxes.
 *
 * @param predLogits (L, B, Q, 256)
 * @param positiveMap (N, 256)
 * @param unmatched (L, B, Q) 1 for queries that have no box, else 0
 */
export const labelsLoss = (
  predLogits: Tensor,
  positiveMap: Tensor,
  unmatched: Tensor,
  pairs: MatchedPairs,
  numBoxes: Tensor,
  eosCoef: number,
): LossTerms => {
  const logProbabilities = logSoftmax(predLogits);
  const classes = predLogits.shape[3] as number;
  const noObject = squeeze(slice(logProbabilities, 3, classes - 1, classes), 3);
  const matched = sum(mul(pairs.ofQueries(logProbabilities), pairs.ofTargets(positiveMap)), [1, 2]);
  const rest = mul(sum(mul(noObject, unmatched), [1, 2]), eosCoef);
  return { loss_ce: div(neg(add(matched, rest)), numBoxes) };
};
