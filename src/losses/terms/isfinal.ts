import { float32Tensor, sizeOf } from '../../engine/graph/index.ts';
import { cast, dimValue, div, equal, greater, maximum, sigmoid, squeeze, sum } from '../../engine/ops/index.ts';
import { binaryCrossEntropy } from '../cross-entropy.ts';
import type { MatchedLoss } from '../loss.ts';
import { boxesDim } from '../matched-pairs.ts';
import { requireField } from '../targets.ts';

/**
 * Binary cross entropy of `isfinal` (CLEVR-Ref+): whether the caption refers to a box or only mentions it as a landmark.
 * The accuracy is 0 when nothing is matched.
 */
export const isfinalLoss: MatchedLoss = {
  name: 'isfinal',
  isMatched: true,
  isOn: (config) => config.predict_final,
  inputs: {
    outputs: () => ['pred_isfinal'],
    targets: ({ samples }) => {
      const values = requireField(samples, 'isFinal', 'predict_final').flatMap((isFinal) => Array.from(isFinal));
      return { target_isfinal: float32Tensor([values.length], values) };
    },
  },
  weight: () => ({ loss_isfinal: 1 }),
  trace: ({ output, target, pairs, numBoxes }) => {
    const logits = squeeze(pairs.ofQueries(output('pred_isfinal')), 2); // (L, B, Q, 1) → (L, M)
    const targets = pairs.ofTargets(target('target_isfinal', [boxesDim]));
    const isRight = equal(greater(sigmoid(logits), 0.5), greater(targets, 0.5));
    const count = cast(dimValue(sizeOf(logits.shape.slice(1))), 'float32');
    return {
      loss_isfinal: div(sum(binaryCrossEntropy(logits, targets), [1]), numBoxes),
      accuracy_isfinal: div(sum(cast(isRight, 'float32'), [1]), maximum(count, 1)),
    };
  },
};
