import { z } from 'zod';
import { MdetrError } from '../errors.ts';

const coefficient = z.number().nonnegative();

/**
 * What decides the training loss beside the network, under the names and with the defaults of the official command
 * line. Everything below the line there is this package's own.
 */
const criterionConfigSchema = z.object({
  set_loss: z.literal('hungarian').default('hungarian'),
  set_cost_class: coefficient.default(1),
  set_cost_bbox: coefficient.default(5),
  set_cost_giou: coefficient.default(2),
  ce_loss_coef: coefficient.default(1),
  bbox_loss_coef: coefficient.default(5),
  giou_loss_coef: coefficient.default(2),
  mask_loss_coef: coefficient.default(1),
  dice_loss_coef: coefficient.default(1),
  qa_loss_coef: coefficient.default(1),
  /** Weight of the class loss of queries that are matched to nothing. */
  eos_coef: coefficient.default(0.1),
  contrastive_loss_coef: coefficient.default(0.1),
  contrastive_align_loss_coef: coefficient.default(1),
  temperature_NCE: z.number().positive().default(0.07),
  // ── this package's own ──────────────────────────────────────────────────────────────────────────────────────────
  /**
   * What the class loss and the matching see of a box's tokens: 0 and 1 (the official code's: a box with many tokens
   * weighs as many times more), or shares that add up to 1, as the paper has it.
   */
  positive_map: z.enum(['binary', 'normalized']).default('binary'),
  /** Weight of the losses of CLEVR's three kinds of answers, which the official code fixes at 1. */
  clevr_answer_loss_coef: coefficient.default(1),
  /**
   * Where the alignment loss looks for the token of a span whose first or last character has none: in the batch's first
   * caption (the official code, for want of an argument), or in the span's own.
   */
  align_fallback: z.enum(['first_caption', 'own_caption']).default('first_caption'),
});

export type CriterionConfig = Readonly<z.infer<typeof criterionConfigSchema>>;

/**
 * Reads the part of a config that decides the loss. Keys that do not concern it are left to others. Throws `MdetrError`
 * naming the key.
 */
export const parseCriterionConfig = (values: Readonly<Record<string, unknown>>, source = 'config'): CriterionConfig => {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
  const parsed = criterionConfigSchema.safeParse(given);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new MdetrError(`${source}: "${path.join('.')}" ${message.charAt(0).toLowerCase()}${message.slice(1)}`);
  }
  const { set_cost_class, set_cost_bbox, set_cost_giou } = parsed.data;
  if (set_cost_class === 0 && set_cost_bbox === 0 && set_cost_giou === 0) {
    throw new MdetrError(`${source}: set_cost_class, set_cost_bbox and set_cost_giou are all 0: nothing to match by`);
  }
  return parsed.data;
};

/** The keys of the schema. */
export const criterionConfigKeys: readonly string[] = Object.keys(criterionConfigSchema.shape);
