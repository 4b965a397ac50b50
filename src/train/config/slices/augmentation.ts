import * as z from 'zod';
import { fraction, positiveInteger } from './values.ts';

/** Sizes and random transforms of images. @internal */
export const augmentationSchema = z.object({
  image_size: z
    .strictObject({
      shortest_edge: positiveInteger.meta({ description: 'Length of the shorter side, in pixels.' }),
      longest_edge: positiveInteger.meta({ description: 'Maximum length of the longer side, in pixels.' }),
      squeeze: z
        .boolean()
        .optional()
        .meta({ description: 'Squeezes images to a square of `shortest_edge` pixels, whatever their aspect.' }),
    })
    .default({ shortest_edge: 800, longest_edge: 1333 })
    .meta({
      description:
        'Size of images in validation and in the preprocessing of the model folder: `shortest_edge` and `longest_edge`, in pixels; with `squeeze` a square of `shortest_edge`.',
      own: true,
      shown: '800, 1333',
    }),
  augmentation: z.enum(['photo', 'clevr', 'light', 'none']).optional().meta({
    description:
      'Random resizing and cropping: the official transforms of photographs (in proportion to `image_size`) or of CLEVR; `light`, for few images: flips, with left and right exchanged in the caption, and crops around all boxes; or none, which resizes as the validation does.',
    own: true,
    shown: 'by the dataset',
  }),
  horizontal_flip_prob: fraction
    .default(0.5)
    .meta({ description: 'Scenes: probability of a horizontal flip. Texts are made after the flip.', own: true }),
});

export type { AugmentationConfig } from '../run-settings.ts';
