import type { Tensor } from '../../engine/graph/index.ts';
import { add, cast, div, greater, log, maximum, mul, neg, scalar, sum } from '../../engine/ops/index.ts';

/** Keeps the logarithm finite where a head looks anywhere but at what it should. */
const leastMass = 1e-4;

/**
 * Mean of −log of the share of attention that falls on what is wanted, over those that have anything to look at.
 *
 * @param probabilities (…, S), adding up to 1 over the last axis
 * @param wanted 1 where to look and else 0, of a shape that broadcasts to that of `probabilities`
 * @param rowsPerWish how many rows of `probabilities` share one row of `wanted`
 */
export const attentionLoss = (probabilities: Tensor, wanted: Tensor, rowsPerWish = 1): Tensor => {
  const axis = probabilities.rank - 1;
  const mass = sum(mul(probabilities, wanted), [axis]);
  const hasWish = cast(greater(sum(wanted, [axis]), 0), 'float32');
  const misses = mul(neg(log(add(mass, scalar(leastMass)))), hasWish);
  return div(sum(misses), mul(maximum(sum(hasWish), 1), rowsPerWish));
};
