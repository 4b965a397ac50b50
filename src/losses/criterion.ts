import { input, symbolicDim, type Dim, type Tensor } from '../engine/graph/index.ts';
import { qaDataset } from '../models/index.ts';
import { concat, literal, mul, reshape, sum } from '../engine/ops/index.ts';
import { boxesLoss } from './boxes.ts';
import { cardinalityError } from './cardinality.ts';
import { contrastiveAlignLoss } from './contrastive-align.ts';
import { imageTextContrastiveLoss } from './image-text-contrastive.ts';
import { isfinalLoss } from './isfinal.ts';
import { labelsLoss } from './labels.ts';
import { masksLoss } from './masks.ts';
import { boxesDim, MatchedPairs } from './matched-pairs.ts';
import { answerOutputs, jointAnswerLosses, splitAnswerLosses } from './questions.ts';
import type { LossTerms } from './terms.ts';
import { hasDetectionLosses, hasMaskLosses, lossLayerCount, lossWeights, type LossConfig } from './weights.ts';

/**
 * What the model says, by official name. Those of every decoder layer have the layer axis first: `pred_logits`
 * (L, B, Q, 256), `pred_boxes` (L, B, Q, 4), `pred_isfinal` (L, B, Q, 1), `proj_queries` (L, B, Q, 64); the others are
 * `proj_tokens` (B, T, 64), `contrastive_image` and `contrastive_text` (B, 64) of length 1, `pred_answer_type` … (B, answers), and `pred_masks` (M, h, w): masks are only made of
 * the last layer's matched queries, in the order of `maskQueries`.
 */
export type ModelOutputs = Readonly<Record<string, Tensor>>;

export interface Criterion {
  /** Official names; of all decoder layers but the last with the suffix `_0`, `_1` …. */
  readonly termNames: readonly string[];
  /** (terms) in the order of `termNames`, without their weights. */
  readonly terms: Tensor;
  /** The weighted sum, a number without axes. */
  readonly total: Tensor;
}

/**
 * The loss of a batch as part of the graph, all decoder layers in one go. Targets and matching are new inputs of the
 * graph, which `lossInputs` and `answerInputs` have the values for. Throws when an output is missing that the config
 * trains.
 */
export const traceCriterion = (config: LossConfig, outputs: ModelOutputs): Criterion => {
  const terms: LossTerms = {
    ...(hasDetectionLosses(config) ? detectionLosses(config, outputs) : {}),
    ...(config.contrastive_loss
      ? imageTextContrastiveLoss(
          required(outputs, 'contrastive_image'),
          required(outputs, 'contrastive_text'),
          config.temperature_NCE,
        )
      : {}),
    ...(config.do_qa ? answerLosses(config, outputs) : {}),
  };
  const families = Object.entries(terms);
  if (families.length === 0) throw new Error('internal: this config trains nothing');
  const termNames = families.flatMap(([name, values]) => namesOf(name, values));
  const all = concat(
    families.map(([, values]) => (values.rank === 0 ? reshape(values, [1]) : values)),
    0,
  );
  const weights = lossWeights(config);
  const factors = literal(
    termNames.map((name) => weights[name] ?? 0),
    [termNames.length],
  );
  return { termNames, terms: all, total: sum(mul(all, factors)) };
};

/** The model's outputs that the config trains, and so those that the total is differentiated by. */
export const criterionOutputs = (config: LossConfig): readonly string[] => [
  ...(hasDetectionLosses(config)
    ? [
        ...['pred_logits', 'pred_boxes'],
        ...(hasMaskLosses(config) ? ['pred_masks'] : []),
        ...(config.predict_final ? ['pred_isfinal'] : []),
        ...(config.contrastive_align_loss ? ['proj_queries', 'proj_tokens'] : []),
      ]
    : []),
  ...(config.contrastive_loss ? ['contrastive_image', 'contrastive_text'] : []),
  ...(config.do_qa ? answerOutputs(config.split_qa_heads ? qaDataset(config)! : 'joint') : []),
];

/** One name for a number; for (L) the last layer's is the plain one. */
const namesOf = (name: string, values: Tensor): string[] =>
  values.rank === 0
    ? [name]
    : Array.from({ length: values.shape[0] as number }, (_, layer, last = (values.shape[0] as number) - 1) =>
        layer === last ? name : `${name}_${layer}`,
      );

const required = (outputs: ModelOutputs, name: string): Tensor => {
  const tensor = outputs[name];
  if (tensor === undefined) throw new Error(`internal: the criterion needs the model's output "${name}"`);
  return tensor;
};

const detectionLosses = (config: LossConfig, outputs: ModelOutputs): LossTerms => {
  const predLogits = required(outputs, 'pred_logits');
  const predBoxes = required(outputs, 'pred_boxes');
  const [layers, batch, queries, classes] = predLogits.shape as [number, Dim, Dim, number];
  if (layers !== lossLayerCount(config))
    throw new Error(`internal: the criterion takes ${lossLayerCount(config)} decoder layers, not ${layers}`);
  const pairs = new MatchedPairs(layers, batch, queries);
  const numBoxes = input('num_boxes', []);
  return {
    ...labelsLoss(
      predLogits,
      input('positive_map', [boxesDim, classes]),
      input('unmatched', [layers, batch, queries]),
      pairs,
      numBoxes,
      config.eos_coef,
    ),
    ...boxesLoss(predBoxes, input('target_boxes', [boxesDim, 4]), pairs, numBoxes),
    ...cardinalityError(predLogits, input('box_counts', [batch])),
    ...(hasMaskLosses(config)
      ? masksLoss(
          required(outputs, 'pred_masks'),
          input('target_masks', [boxesDim, symbolicDim('mask_height'), symbolicDim('mask_width')], 'uint8'),
          pairs,
          numBoxes,
        )
      : {}),
    ...(config.predict_final
      ? isfinalLoss(required(outputs, 'pred_isfinal'), input('target_isfinal', [boxesDim]), pairs, numBoxes)
      : {}),
    ...(config.contrastive_align_loss ? alignmentLoss(config, outputs, pairs, numBoxes) : {}),
  };
};

const alignmentLoss = (config: LossConfig, outputs: ModelOutputs, pairs: MatchedPairs, numBoxes: Tensor): LossTerms => {
  const projTokens = required(outputs, 'proj_tokens');
  return contrastiveAlignLoss(
    required(outputs, 'proj_queries'),
    projTokens,
    input('alignment_map', [boxesDim, projTokens.shape[1]!]),
    pairs,
    numBoxes,
    config.temperature_NCE,
  );
};

const answerLosses = (config: LossConfig, outputs: ModelOutputs): LossTerms =>
  config.split_qa_heads
    ? splitAnswerLosses(outputs, qaDataset(config)!)
    : jointAnswerLosses(required(outputs, 'pred_answer'));
