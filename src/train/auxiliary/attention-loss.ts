import type { Tensor } from '../../engine/graph/index.ts';
import { add, cast, div, greater, log, maximum, mul, neg, scalar, sum } from '../../engine/ops/index.ts';

/** Keeps the logarithm finite when a head attends to none of its targets. */
const MIN_MASS = 1e-4;

/**
 * Mean of −log of the attention mass on the targets, over the rows that have targets. A scalar.
 *
 * @param probabilities (…, S), sums to 1 over the last axis
 * @param targets 1 for positions to attend to, else 0; broadcasts to the shape of `probabilities`
 * @param repeats number of rows of `probabilities` that share a row of `targets`
 */
export const attentionLoss = (probabilities: Tensor, targets: Tensor, repeats = 1): Tensor => {
  const axis = probabilities.rank - 1;
  const mass = sum(mul(probabilities, targets), [axis]);
  const hasTargets = cast(greater(sum(targets, [axis]), 0), 'float32');
  const losses = mul(neg(log(add(mass, scalar(MIN_MASS)))), hasTargets);
  return div(sum(losses), mul(maximum(sum(hasTargets), 1), repeats));
};
