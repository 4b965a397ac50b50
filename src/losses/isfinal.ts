import { sizeOf, type Tensor } from '../engine/graph/index.ts';
import { cast, dimValue, div, equal, greater, maximum, sigmoid, squeeze, sum } from '../engine/ops/index.ts';
import { binaryCrossEntropy } from './cross-entropy.ts';
import type { MatchedPairs } from './matched-pairs.ts';
import type { LossTerms } from './terms.ts';

/**
 * Whether a box is what the expression is about, or only mentioned on the way there (CLEVR-Ref+). The accuracy is 0
 * where nothing is matched.
 *
 * @param predIsfinal (L, B, Q, 1)
 * @param targetIsfinal (N) 0 and 1
 */
export const isfinalLoss = (
  predIsfinal: Tensor,
  targetIsfinal: Tensor,
  pairs: MatchedPairs,
  numBoxes: Tensor,
): LossTerms => {
  const logits = squeeze(pairs.ofQueries(predIsfinal), 2);
  const targets = pairs.ofTargets(targetIsfinal);
  const right = equal(greater(sigmoid(logits), 0.5), greater(targets, 0.5));
  const count = cast(dimValue(sizeOf(logits.shape.slice(1))), 'float32');
  return {
    loss_isfinal: div(sum(binaryCrossEntropy(logits, targets), [1]), numBoxes),
    accuracy_isfinal: div(sum(cast(right, 'float32'), [1]), maximum(count, 1)),
  };
};
