import type { Tensor } from '../engine/graph/index.ts';
import { abs, argMax, cast, equal, mean, not, scalar, sub, sum } from '../engine/ops/index.ts';
import type { LossTerms } from './terms.ts';

/**
 * How far the number of queries that see an object is from the number of boxes, on average over the batch. For the
 * record; nothing learns from it.
 *
 * @param predLogits (L, B, Q, 256)
 * @param boxCounts (B) float32
 */
export const cardinalityError = (predLogits: Tensor, boxCounts: Tensor): LossTerms => {
  const noObject = scalar((predLogits.shape[3] as number) - 1, 'int64');
  const seen = sum(cast(not(equal(argMax(predLogits, 3), noObject)), 'float32'), [2]); // (L, B)
  return { cardinality_error: mean(abs(sub(seen, boxCounts)), [1]) };
};
