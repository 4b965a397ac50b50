import { add, div, logSoftmax, mul, neg, slice, squeeze, sum } from '../../engine/ops/index.ts';
import type { MatchedLoss } from '../loss.ts';
import { boxesDim } from '../matched-pairs.ts';

/**
 * Soft-token loss (section 2.2 of the paper): a matched query predicts the tokens of its box, every other query predicts
 * "no object" with the weight `eos_coef`. Summed over tokens and queries, divided by the number of boxes.
 */
export const labelsLoss: MatchedLoss = {
  name: 'labels',
  isMatched: true,
  isOn: () => true,
  inputs: { outputs: () => ['pred_logits'] },
  weight: (config) => ({ loss_ce: config.ce_loss_coef }),
  trace: ({ config, output, target, pairs, numBoxes }) => {
    const predLogits = output('pred_logits'); // (L, B, Q, 256)
    const classes = predLogits.shape[3] as number;
    const positiveMap = target('positive_map', [boxesDim, classes]);
    const logProbabilities = logSoftmax(predLogits);
    const noObject = squeeze(slice(logProbabilities, 3, classes - 1, classes), 3); // (L, B, Q)
    const matched = sum(mul(pairs.ofQueries(logProbabilities), pairs.ofTargets(positiveMap)), [1, 2]);
    const rest = mul(sum(mul(noObject, pairs.unmatched), [1, 2]), config.eos_coef);
    return { loss_ce: div(neg(add(matched, rest)), numBoxes) };
  },
};
