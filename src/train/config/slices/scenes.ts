import * as z from 'zod';
import { LANGUAGES } from '../../../scenes/render/splits.ts';
import { EXPRESSION_TYPES, QUESTION_TYPES } from '../../../scenes/language/texts.ts';
import { fraction, nonnegative, positiveInteger } from './values.ts';

/** The texts that are made about scenes, up to a number of image-text pairs. @internal */
export const textStageSchema = z.strictObject({
  until_pairs: positiveInteger.optional().meta({
    description: 'Image-text pairs of the run after which the next entry applies; the last entry has none.',
  }),
  language: z.enum(LANGUAGES).default('plain').meta({
    description:
      '`plain`: a few patterns for each meaning. `wide`: hundreds, with synonyms, other word orders, courtesies, omitted articles and some typing errors.',
  }),
  plain_fraction: fraction.default(0).meta({
    description: 'Fraction of the texts of the wide language that are in the plain one instead.',
  }),
  caption: nonnegative.default(1).meta({ description: 'Relative frequency of captions.' }),
  expression: nonnegative.default(0).meta({ description: 'Relative frequency of referring expressions.' }),
  question: nonnegative.default(0).meta({ description: 'Relative frequency of questions.' }),
  negative: nonnegative.default(0).meta({ description: 'Relative frequency of captions of absent objects.' }),
  min_phrases: positiveInteger.default(1).meta({ description: 'Minimum number of phrases in a caption.' }),
  max_phrases: positiveInteger.max(4).default(4).meta({ description: 'Maximum number of phrases in a caption.' }),
  groups: fraction.default(0.25).meta({ description: 'Probability that a phrase refers to a group of objects.' }),
  needs_color: fraction
    .default(0)
    .meta({ description: 'Probability that a phrase would fit other objects without its color.' }),
  needs_material: fraction
    .default(0)
    .meta({ description: 'Probability that a phrase would fit other objects without its material.' }),
  expression_types: z
    .array(z.enum(EXPRESSION_TYPES))
    .nonempty()
    .optional()
    .meta({ description: 'Types of referring expressions.', shown: 'all' }),
  joined_expressions: positiveInteger.max(4).default(1).meta({
    description: 'Maximum number of referring expressions in one text, about different objects.',
  }),
  question_types: z
    .array(z.enum(QUESTION_TYPES))
    .nonempty()
    .optional()
    .meta({ description: 'Types of questions.', shown: 'all' }),
});

/** Texts about procedural scenes. @internal */
export const sceneTextSchema = z.object({
  texts_per_image: positiveInteger
    .default(1)
    .meta({ description: "Texts that share one image's pass through the backbone.", own: true }),
  texts: z
    .array(textStageSchema)
    .nonempty()
    .default([textStageSchema.parse({})])
    .meta({ description: 'Kinds of texts about a scene, as a curriculum; see below.', own: true, shown: 'captions' }),
});

export type { SceneTextConfig, TextStage } from '../run-settings.ts';
