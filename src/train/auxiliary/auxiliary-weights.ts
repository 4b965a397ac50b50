import type { AuxiliaryConfig } from '../config/slices/auxiliary.ts';
import type { OptimizerSettings } from '../config/slices/optimizer.ts';

/** Factors of the helper losses in the total; 0 for one that there is not. */
export interface AuxiliaryWeights {
  readonly encoder: number;
  readonly backbone: number;
  readonly answers: number;
  /** Of `wordAttentionLoss`. */
  readonly words: number;
}

/** The helper losses of a config. Where the backbone is trained alone there is only its own. */
export const auxiliaryWeights = (config: AuxiliaryConfig & Pick<OptimizerSettings, 'objective'>): AuxiliaryWeights => {
  const isWhole = config.objective === 'all';
  return {
    encoder: isWhole ? config.encoder_auxiliary_loss : 0,
    backbone: config.backbone_auxiliary_loss,
    answers: isWhole ? config.answer_auxiliary_loss : 0,
    words: isWhole ? config.word_auxiliary_loss : 0,
  };
};
