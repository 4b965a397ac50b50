import { qaDataset, type ModelConfig } from '../models/index.ts';
import type { CriterionConfig } from './config.ts';

/** Both halves of a config that a loss depends on. */
export type LossConfig = ModelConfig & CriterionConfig;

/** The losses on sets of boxes, whether the model is trained to detect at all. */
export const hasDetectionLosses = (config: LossConfig): boolean => !config.no_detection;

/** Segmentation is trained whenever the model can segment, as in the official code, unless both factors are 0. */
export const hasMaskLosses = (config: LossConfig): boolean =>
  config.mask_model !== 'none' && config.mask_loss_coef + config.dice_loss_coef > 0;

/** How many decoder layers' outputs the criterion takes (its L): all with auxiliary losses, else the last alone. */
export const lossLayerCount = (config: LossConfig): number => (config.aux_loss ? config.dec_layers : 1);

/**
 * The factor of every loss in the total, by official name: the official `weight_dict`. Like there, it names losses that
 * are never produced (answers of auxiliary layers, boxes when only answers are trained).
 */
export const lossWeights = (config: LossConfig): Readonly<Record<string, number>> => {
  const weights: Record<string, number> = {
    loss_ce: config.ce_loss_coef,
    loss_bbox: config.bbox_loss_coef,
    ...(config.contrastive_loss ? { contrastive_loss: config.contrastive_loss_coef } : {}),
    ...(config.contrastive_align_loss ? { loss_contrastive_align: config.contrastive_align_loss_coef } : {}),
    ...(config.predict_final ? { loss_isfinal: 1 } : {}),
    loss_giou: config.giou_loss_coef,
    ...(hasMaskLosses(config) ? { loss_mask: config.mask_loss_coef, loss_dice: config.dice_loss_coef } : {}),
    ...answerWeights(config),
  };
  const auxiliary = Array.from({ length: lossLayerCount(config) - 1 }, (_, layer) =>
    Object.fromEntries(Object.entries(weights).map(([name, weight]) => [`${name}_${layer}`, weight])),
  );
  return Object.assign({}, weights, ...auxiliary) as Record<string, number>;
};

const answerWeights = (config: LossConfig): Record<string, number> => {
  const { qa_loss_coef: weight, clevr_answer_loss_coef: answer } = config;
  if (!config.do_qa) return {};
  if (!config.split_qa_heads) return { loss_answer_total: weight };
  // For CLEVR only the type follows the official coefficient.
  if (qaDataset(config) === 'clevr')
    return { loss_answer_type: weight, loss_answer_binary: answer, loss_answer_attr: answer, loss_answer_reg: answer };
  const kinds = ['type', 'cat', 'attr', 'rel', 'obj', 'global'];
  return Object.fromEntries(kinds.map((kind) => [`loss_answer_${kind}`, weight]));
};
