import type { Dim, HostTensor } from '../../engine/graph/index.ts';
import {
  cast,
  concat,
  fill,
  greaterEqual,
  mergeAxes,
  scalar,
  slice,
  splitAxis,
  squeeze,
  sum,
  unsqueeze,
} from '../../engine/ops/index.ts';
import { crossEntropy } from '../../losses/cross-entropy.ts';
import { Linear } from '../../nn/index.ts';
import { ANSWER_STEP_CLASSES, ANSWER_STEP_SLOTS, NO_STEP } from './answer-steps.ts';
import { attentionLoss, pooledMean } from './attention-loss.ts';
import type { AuxiliaryImage } from './auxiliary-batch.ts';
import type { AnswersLoss, AuxiliaryFeatures, Mean } from './auxiliary-loss.ts';
import { concatInt32 } from './cell-targets.ts';
import { answerPositions } from './position-targets.ts';

/** The question query that CLEVR's yes/no head reads. */
const YES_NO_QUERY = 1;
/** Attention heads of a layer that are trained to attend to the objects of the question; the others are free. */
const GUIDED_HEADS = 2;

/**
 * Question queries predict the values that the answer follows from (`answerStepsOf`) one layer before the answer, so that
 * the last layer only has to combine them; and they attend to the positions of the objects that the question is about.
 */
export const answersLoss: AnswersLoss = {
  name: 'answers',
  level: 'answers',
  weight: (config) => config.answer_auxiliary_loss,
  head: (scope, { config }, weight) => {
    const stepHead = new Linear(scope, config.hidden_dim, ANSWER_STEP_SLOTS * ANSWER_STEP_CLASSES);
    return ({ layers, cache, target }) => {
      const layer = (layers.at(-2) ?? layers.at(-1))?.output;
      if (layer === undefined) return [];
      const query = squeeze(slice(layer, 1, YES_NO_QUERY, YES_NO_QUERY + 1), 1); // (B, D)
      const logits = mergeAxes(splitAxis(stepHead.forward(query), 1, [ANSWER_STEP_SLOTS, ANSWER_STEP_CLASSES]), 0, 1);
      const labels = mergeAxes(target('auxiliary_steps', [layer.shape[0]!, ANSWER_STEP_SLOTS], 'int32'), 0, 1);
      const isKnown = cast(greaterEqual(labels, scalar(0, 'int32')), 'float32');
      const steps = { sum: sum(crossEntropy(logits, labels)), count: sum(isKnown) };
      const attention = answerAttentionLoss({ layers: layers.slice(-2), cache, target });
      return [
        { name: 'auxiliary_answer_steps', means: [steps], weight },
        { name: 'auxiliary_answer_attention', means: [attention], weight },
      ];
    };
  },
  inputs: ({ images, grid }) => ({
    auxiliary_steps: stepLabels(images),
    auxiliary_answer_positions: answerPositions(grid, images),
  }),
};

/**
 * Attention loss of some heads of the given layers: question queries attend to the positions of the objects that the
 * question is about. Questions about no object in the image have no loss. It has no parameters.
 */
const answerAttentionLoss = ({ layers, cache, target }: AuxiliaryFeatures['answers']): Mean => {
  const [batch, positions] = cache.imageMemory.shape as [Dim, Dim];
  const ofImage = target('auxiliary_answer_positions', [batch, positions]);
  const ofText = fill(0, [batch, cache.textMemory.shape[1]!]);
  const expected = unsqueeze(unsqueeze(concat([ofImage, ofText], 1), 1), 1); // (B, 1, 1, S)
  return pooledMean(
    layers.map(({ attention }) => {
      const probabilities = slice(attention, 1, 0, GUIDED_HEADS); // (B, heads, n, S)
      const [, heads, queries] = probabilities.shape as [Dim, number, number];
      return attentionLoss(probabilities, expected, heads * queries);
    }),
  );
};

/** (B, 2) classes of `answerStepsOf`, `NO_STEP` for captions that ask nothing. */
const stepLabels = (images: readonly AuxiliaryImage[]): HostTensor => {
  const noSteps = Array.from({ length: ANSWER_STEP_SLOTS }, () => NO_STEP);
  const labels = images.flatMap(({ captions }) =>
    captions.map(({ answerSteps = noSteps }) => Int32Array.from(answerSteps)),
  );
  return concatInt32([labels.length, ANSWER_STEP_SLOTS], labels);
};
