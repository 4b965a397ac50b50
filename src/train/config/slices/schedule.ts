import * as z from 'zod';
import { SCHEDULE_NAMES } from '../schedule.ts';
import { fraction, nonnegative, positiveInteger } from './values.ts';

/** Length of the training and its learning rates. @internal */
export const scheduleSchema = z.object({
  epochs: positiveInteger.default(40).meta({ description: 'Epochs of the training.' }),
  max_steps: positiveInteger.optional().meta({
    description: 'Steps of the training, instead of `epochs`; the schedule ends with them.',
    own: true,
  }),
  lr: nonnegative
    .default(1e-4)
    .meta({ description: 'Learning rate of everything but the backbone and the text encoder.' }),
  lr_backbone: z.number().default(1e-5).meta({ description: 'Learning rate of the backbone; 0 or less freezes it.' }),
  text_encoder_lr: nonnegative.default(5e-5).meta({ description: 'Learning rate of the text encoder.' }),
  word_vectors_lr_factor: nonnegative.default(0.2).meta({
    description: 'Learning rate of pre-trained word vectors (`pretrained_size`) as a fraction of `text_encoder_lr`.',
    own: true,
  }),
  schedule: z.enum(SCHEDULE_NAMES).default('linear_with_warmup').meta({
    description:
      '`step`, `multistep`, `linear_with_warmup` (text encoder linear, the others in steps), `all_linear_with_warmup`, or `all_cosine_with_warmup` (not official).',
  }),
  lr_drop: positiveInteger.default(35).meta({
    description: 'Epochs after which `step` divides the learning rates by ten and `multistep` first halves them.',
  }),
  fraction_warmup_steps: fraction.default(0.01).meta({ description: 'Fraction of the steps that warm up linearly.' }),
  final_lr_fraction: fraction.default(0).meta({
    description: 'Fraction of the learning rates at which `all_cosine_with_warmup` ends.',
    own: true,
  }),
  adjust_lr: z.enum(['after_step', 'before_step']).default('after_step').meta({
    description:
      'When the learning rates of a step are set. The official code sets them after the step, so that step 0 has full rates.',
    own: true,
  }),
});

export type { ScheduleConfig } from '../run-settings.ts';
