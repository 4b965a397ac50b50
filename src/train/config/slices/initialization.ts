import * as z from 'zod';
import { flag, nonnegativeInteger, path } from './values.ts';

/** Sources of the initial weights, and frozen parts. @internal */
export const initializationSchema = z.object({
  load: path.default('').meta({
    description:
      'Model to start from: model folder, `.pth`, `.safetensors`, or a name. Also fills in the network and `image_size`.',
  }),
  backbone_weights: path.default('').meta({
    description:
      "Backbone weights if nothing is loaded: torchvision's or timm's file, or the name of a pulled one (`resnet101`).",
    own: true,
  }),
  text_encoder_weights: path.default('').meta({
    description:
      'Text-encoder weights if nothing is loaded: a `model.safetensors`, or the name of a pulled one (`roberta-base-weights`).',
    own: true,
  }),
  word_vectors: path.default('').meta({
    description:
      'Pre-trained word vectors of `tokenizer` for a text encoder with `pretrained_size`, if nothing is loaded: a file that `npm run words` makes.',
    own: true,
  }),
  frozen_weights: path.optional().meta({ description: 'Detector to load and freeze, to train masks on it.' }),
  freeze_detector: flag.default(false).meta({
    description: 'Trains the mask head alone, on the detector of an earlier training stage or of `load`.',
    own: true,
  }),
  freeze_text_encoder: flag.default(false).meta({ description: 'Freezes the text encoder.' }),
  init_seed: nonnegativeInteger.optional().meta({
    description: 'Seed of the initial values.',
    own: true,
    shown: '`seed`',
  }),
});

export type { InitializationConfig } from '../run-settings.ts';
