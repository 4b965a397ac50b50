import { abs, argMax, cast, equal, mean, not, scalar, sub, sum } from '../../engine/ops/index.ts';
import type { MatchedLoss } from '../loss.ts';

/**
 * Absolute difference between the number of queries that predict an object and the number of boxes, averaged over the
 * batch. It is logged only and has no gradient.
 */
export const cardinalityLoss: MatchedLoss = {
  name: 'cardinality',
  isMatched: true,
  isOn: () => true,
  inputs: { outputs: () => ['pred_logits'] },
  weight: () => ({}),
  trace: ({ output, target }) => {
    const predLogits = output('pred_logits'); // (L, B, Q, 256)
    const noObject = scalar((predLogits.shape[3] as number) - 1, 'int64');
    const predicted = sum(cast(not(equal(argMax(predLogits, 3), noObject)), 'float32'), [2]); // (L, B)
    return { cardinality_error: mean(abs(sub(predicted, target('box_counts', [predLogits.shape[1]!]))), [1]) };
  },
};
