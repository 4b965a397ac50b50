import type { Tensor } from '../../engine/graph/index.ts';
import { add, cast, greater, log, mul, neg, scalar, sub, sum } from '../../engine/ops/index.ts';
import type { Mean } from './auxiliary-loss.ts';

/** Keeps the logarithm finite for a probability of 0. */
export const MIN_MASS = 1e-4;

/**
 * Mean of −log of the attention mass on the targets, over the rows that have targets.
 *
 * @param probabilities (…, S), sums to 1 over the last axis
 * @param targets 1 for positions to attend to, else 0; broadcasts to the shape of `probabilities`
 * @param repeats number of rows of `probabilities` that share a row of `targets`
 */
export const attentionLoss = (probabilities: Tensor, targets: Tensor, repeats = 1): Mean => {
  const axis = probabilities.rank - 1;
  const mass = sum(mul(probabilities, targets), [axis]);
  const hasTargets = cast(greater(sum(targets, [axis]), 0), 'float32');
  return meanNegativeLog(mass, hasTargets, repeats);
};

/**
 * Mean of −log of the attention mass elsewhere than on some positions, over the rows with weight 1.
 *
 * @param probabilities (…, S), sums to 1 over the last axis
 * @param avoided 1 for positions not to attend to, else 0; broadcasts to the shape of `probabilities`
 * @param rows (…) 1 for rows that count, else 0
 */
export const avoidanceLoss = (probabilities: Tensor, avoided: Tensor, rows: Tensor): Mean =>
  meanNegativeLog(sub(scalar(1), sum(mul(probabilities, avoided), [probabilities.rank - 1])), rows);

/** One mean over all values of several means. */
export const pooledMean = (means: readonly Mean[]): Mean => ({
  sum: means.map((mean) => mean.sum).reduce(add),
  count: means.map(({ count }) => count).reduce(add),
});

/**
 * Mean of −log of a probability over the rows with weight 1.
 *
 * @param probability (…)
 * @param rows (…) 1 for rows that count, else 0
 * @param repeats number of rows of `probability` that share one of `rows`
 */
export const meanNegativeLog = (probability: Tensor, rows: Tensor, repeats = 1): Mean => ({
  sum: sum(mul(neg(log(add(probability, scalar(MIN_MASS)))), rows)),
  count: mul(sum(rows), repeats),
});
