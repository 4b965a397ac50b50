import * as z from 'zod';
import { flag, fraction, nonnegative, nonnegativeInteger, positiveInteger } from './values.ts';

/** The optimizer, gradient clipping and the moving average of the weights. @internal */
export const optimizerSchema = z.object({
  optimizer: z.enum(['adam', 'adamw', 'sgd', 'muon']).default('adam').meta({
    description:
      '`adam` and `adamw` are both AdamW, as in the official code; `sgd` is SGD with momentum; `muon` (*own*) is Muon for the matrices in the layers of text encoder, encoder and decoder, and AdamW for the rest.',
  }),
  muon_lr_factor: z.number().positive().default(1).meta({
    description:
      'Factor of the learning rates of the matrices that Muon updates, whose updates are as large as those of AdamW.',
    own: true,
  }),
  weight_decay: nonnegative.default(1e-4).meta({ description: 'Decoupled weight decay.' }),
  weight_decay_params: z.enum(['all', 'matrices']).default('all').meta({
    description:
      'Parameters that decay: `all`, as in the official code, or `matrices`, which excludes biases and norms.',
    own: true,
  }),
  clip_max_norm: nonnegative.default(0.1).meta({ description: 'Maximum norm of the gradient; 0 disables clipping.' }),
  accumulate: positiveInteger.default(1).meta({
    description:
      'Batches whose gradients are averaged in a step; corresponds to the number of GPUs in the official code.',
    own: true,
  }),
  no_dropout: flag.default(false).meta({
    description: 'Disables all dropout, also where the official code always has it (text encoder, feature resizer).',
    own: true,
  }),
  objective: z.enum(['all', 'backbone']).default('all').meta({
    description: '`backbone` trains the backbone with `backbone_auxiliary_loss` alone.',
    own: true,
  }),
  max_mask_boxes: nonnegativeInteger.default(0).meta({
    description: 'Maximum number of boxes of a batch whose masks are trained, evenly chosen; 0 for all.',
    own: true,
  }),
  ema: flag
    .default(false)
    .meta({ description: 'Keeps a moving average of the weights, which is validated and saved as the model.' }),
  ema_decay: fraction.default(0.9998).meta({ description: 'Decay of the moving average per step.' }),
});

export type { OptimizerSettings } from '../run-settings.ts';
