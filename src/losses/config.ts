import * as z from 'zod';
import { MdetrError } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';
import type { CriterionConfig } from './criterion-config.ts';
import type { ModelConfig } from '../models/index.ts';

const coefficient = z.number().nonnegative();

/** Settings of the training loss, under the names and with the defaults of the official command line. `own` keys are this package's. @internal */
export const criterionConfigSchema = z.object({
  set_loss: z
    .literal('hungarian')
    .default('hungarian')
    .meta({ description: 'Matching of predictions and targets; the only one.' }),
  set_cost_class: coefficient.default(1).meta({ description: 'Weight of the soft-token cost in the matching.' }),
  set_cost_bbox: coefficient.default(5).meta({ description: 'Weight of the L1 cost of boxes in the matching.' }),
  set_cost_giou: coefficient.default(2).meta({ description: 'Weight of the GIoU cost in the matching.' }),
  ce_loss_coef: coefficient.default(1).meta({ description: 'Weight of the soft-token loss.' }),
  bbox_loss_coef: coefficient.default(5).meta({ description: 'Weight of the L1 loss of boxes.' }),
  giou_loss_coef: coefficient.default(2).meta({ description: 'Weight of the GIoU loss.' }),
  mask_loss_coef: coefficient.default(1).meta({
    description:
      'Weight of the focal loss of masks. If `dice_loss_coef` is 0 too, masks are not trained and need not be annotated.',
  }),
  dice_loss_coef: coefficient.default(1).meta({ description: 'Weight of the Dice loss of masks.' }),
  qa_loss_coef: coefficient.default(1).meta({ description: 'Weight of the losses of answers.' }),
  eos_coef: coefficient
    .default(0.1)
    .meta({ description: 'Relative weight of the no-object class in the soft-token loss.' }),
  contrastive_loss_coef: coefficient.default(0.1).meta({ description: 'Weight of `contrastive_loss`.' }),
  contrastive_align_loss_coef: coefficient.default(1).meta({ description: 'Weight of `contrastive_align_loss`.' }),
  temperature_NCE: z.number().positive().default(0.07).meta({ description: 'Temperature of the contrastive losses.' }),
  positive_map: z.enum(['binary', 'normalized']).default('binary').meta({
    description:
      "Weights of a box's tokens in the soft-token loss and the matching: `binary` as in the official code, where a box with many tokens weighs more, or `normalized` to sum 1, as in the paper.",
    own: true,
  }),
  clevr_answer_loss_coef: coefficient.default(1).meta({
    description: "Weight of the losses of CLEVR's three types of answers, which is fixed at 1 in the official code.",
    own: true,
  }),
  align_fallback: z.enum(['first_caption', 'own_caption']).default('first_caption').meta({
    description:
      "Caption in which the alignment loss looks for the token of a span whose first or last character has none: the first of the batch, as in the official code, or the span's own.",
    own: true,
  }),
});

export type { CriterionConfig } from './criterion-config.ts';

/** The slices of a config that losses depend on. */
export type LossConfig = ModelConfig & CriterionConfig;

/** Whether the losses on boxes are trained. */
export const hasDetectionLosses = (config: LossConfig): boolean => !config.no_detection;

/** L, the number of decoder layers in the criterion: all of them with auxiliary losses, else the last one. */
export const lossLayerCount = (config: LossConfig): number => (config.aux_loss ? config.dec_layers : 1);

/**
 * Reads the loss settings of a config; other keys are ignored.
 *
 * @throws {MdetrError} naming the key
 */
export const parseCriterionConfig = (values: Readonly<Record<string, unknown>>, source = 'config'): CriterionConfig => {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
  const parsed = criterionConfigSchema.safeParse(given);
  if (!parsed.success) {
    const { field, predicate } = firstIssue(parsed.error);
    throw new MdetrError(`${source}: "${field}" ${predicate}`);
  }
  const { set_cost_class, set_cost_bbox, set_cost_giou } = parsed.data;
  if (set_cost_class === 0 && set_cost_bbox === 0 && set_cost_giou === 0) {
    throw new MdetrError(`${source}: set_cost_class, set_cost_bbox and set_cost_giou are all 0: nothing to match by`);
  }
  return parsed.data;
};

/** Keys of the loss settings. */
export const criterionConfigKeys: readonly string[] = Object.keys(criterionConfigSchema.shape);
