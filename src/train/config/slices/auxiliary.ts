import * as z from 'zod';
import { nonnegative } from './values.ts';

const weight = (description: string) => nonnegative.default(0).meta({ description, own: true });

/** Weights of the losses of heads that exist during training only. @internal */
export const auxiliarySchema = z.object({
  encoder_auxiliary_loss: nonnegative.default(0).meta({
    description:
      "Weight of the head that finds the mentioned objects in the encoder's output. With `query_selection` the head is part of the network.",
    own: true,
    shown: '0; 1 with `query_selection`',
  }),
  backbone_auxiliary_loss: weight(
    "Weight of the head that classifies all objects in the backbone's last feature map. For scenes.",
  ),
  answer_auxiliary_loss: weight(
    "Weight of the head that predicts what a question compares or counts. For scenes with CLEVR's answers.",
  ),
  object_auxiliary_loss: weight(
    "Weight of the loss that makes questions attend to the positions and the object queries of what they count or compare. For scenes with CLEVR's answers and `query_selection`.",
  ),
  word_auxiliary_loss: weight(
    'Weight of the loss that makes words attend to what they name in the first encoder layer. For scenes.',
  ),
  relation_auxiliary_loss: weight(
    'Weight of the loss that makes objects attend to the objects that a caption compares them with, in the second and third encoder layer. For scenes.',
  ),
});

export type { AuxiliaryConfig } from '../run-settings.ts';
