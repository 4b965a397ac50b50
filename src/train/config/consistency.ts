import { MdetrError } from '../../errors.ts';
import type { LossConfig } from '../../losses/index.ts';
import { hasEncoderHead, qaDataset } from '../../models/index.ts';
import { ANSWER_SLOTS } from '../auxiliary/answer-slots.ts';
import type { AuxiliaryConfig } from './slices/auxiliary.ts';
import type { InitializationConfig } from './slices/initialization.ts';
import type { OptimizerSettings } from './slices/optimizer.ts';
import type { SceneTextConfig } from './slices/scenes.ts';

type CheckedConfig = LossConfig & InitializationConfig & OptimizerSettings & AuxiliaryConfig & SceneTextConfig;

/**
 * Checks what concerns several keys at once.
 *
 * @throws {MdetrError} for settings that contradict each other
 */
export const requireConsistent = (config: CheckedConfig, source: string): void => {
  const refuse = (problem: string): never => {
    throw new MdetrError(`${source}: ${problem}`);
  };
  if (config.frozen_weights !== undefined && config.mask_model === 'none')
    refuse('frozen_weights freezes the detector to train masks on it: set mask_model to "smallconv"');
  if (config.freeze_detector && (config.mask_model === 'none' || config.mask_loss_coef + config.dice_loss_coef === 0))
    refuse('freeze_detector leaves only masks to train: set mask_model to "smallconv", and mask_loss_coef above 0');
  if (config.objective === 'backbone' && config.backbone_auxiliary_loss === 0)
    refuse('objective "backbone" trains with backbone_auxiliary_loss alone, which is 0');
  for (const key of ['answer_auxiliary_loss', 'object_auxiliary_loss'] as const)
    if (config[key] > 0 && !(config.do_qa && config.split_qa_heads && qaDataset(config) === 'clevr'))
      refuse(`${key} needs the question heads of CLEVR: do_qa, split_qa_heads and qa_dataset "clevr"`);
  if (config.object_auxiliary_loss > 0 && config.query_selection === 'none')
    refuse('object_auxiliary_loss needs object queries that start from boxes: set query_selection');
  if (config.object_auxiliary_loss > 0 && config.nheads < ANSWER_SLOTS)
    refuse(`object_auxiliary_loss needs ${ANSWER_SLOTS} attention heads: nheads must be at least ${ANSWER_SLOTS}`);
  const isDetectorTrained =
    config.objective === 'all' && !config.freeze_detector && config.frozen_weights === undefined;
  if (hasEncoderHead(config) && config.encoder_auxiliary_loss === 0 && isDetectorTrained)
    refuse('query_selection selects by the encoder head, whose loss is encoder_auxiliary_loss: set it above 0');
  if (config.word_auxiliary_loss > 0 && config.nheads < 4)
    refuse('word_auxiliary_loss needs an attention head for each of four attributes: nheads must be at least 4');
  if (config.relation_auxiliary_loss > 0 && (config.nheads < 4 || config.enc_layers < 3))
    refuse('relation_auxiliary_loss needs four heads in three encoder layers: nheads must be at least 4, enc_layers 3');
  for (const key of ['encoder_auxiliary_loss', 'word_auxiliary_loss', 'relation_auxiliary_loss'] as const)
    if (config[key] > 0 && !config.text_in_encoder)
      refuse(`${key} needs words in the encoder, and text_in_encoder is false: set ${key} to 0`);
  config.texts.forEach((stage, index) => {
    if (stage.until_pairs === undefined && index < config.texts.length - 1)
      refuse(`texts[${index}] has no "until_pairs", so the entries after it would never apply`);
    if (stage.caption + stage.expression + stage.question + stage.negative === 0)
      refuse(`texts[${index}]: caption, expression, question and negative are all 0`);
  });
};
