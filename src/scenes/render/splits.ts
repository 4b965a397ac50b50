import { COLORS, SHAPES, type Color, type Shape } from './attributes.ts';

/**
 * Splits of generated scenes.
 * - `standard`: all combinations of shape and color, training wording.
 * - `paraphrase`: the same images as `standard`; sentence patterns and word orders that no other split uses, with words
 *   that the training wording uses too.
 * - `paraphrase2`: the same again with other patterns, written before the wider training language and never changed since.
 * - `cogent-a`, `cogent-b`: training wording; cubes and cylinders have four colors each, which the two splits swap (the
 *   combinations of CLEVR-CoGenT).
 */
export const SPLITS = ['standard', 'paraphrase', 'paraphrase2', 'cogent-a', 'cogent-b'] as const;
/** Name of a split. */
export type SceneSplit = (typeof SPLITS)[number];

/**
 * Languages of the splits with training wording: `plain` has one pattern or a few for each meaning, `wide` has hundreds,
 * with synonyms, other word orders, courtesies, omitted articles and a few typing errors.
 */
export const LANGUAGES = ['plain', 'wide'] as const;
/** Name of a language. */
export type Language = (typeof LANGUAGES)[number];

/**
 * Sets of sentence patterns: `training` and `wide` for training, which share patterns; `paraphrase` and `paraphrase2` for
 * evaluation only, which share none with any other set.
 */
export const WORDINGS = ['training', 'wide', 'paraphrase', 'paraphrase2'] as const;
/** Set of patterns that a text is made from. */
export type Wording = (typeof WORDINGS)[number];

/** Wordings that no training uses. */
export const HELD_OUT_WORDINGS = ['paraphrase', 'paraphrase2'] as const satisfies readonly Wording[];

/** Wording of a split in the given language. The held-out splits have their own. */
export const wordingOf = (split: SceneSplit, language: Language = 'plain'): Wording =>
  split === 'paraphrase' || split === 'paraphrase2' ? split : language === 'wide' ? 'wide' : 'training';

const DULL: readonly Color[] = ['gray', 'blue', 'brown', 'yellow'];
const VIVID: readonly Color[] = ['red', 'green', 'purple', 'cyan'];

/** Colors that a shape can have in a split. */
export const colorsAllowed = (split: SceneSplit, shape: Shape): readonly Color[] => {
  if (shape === 'sphere' || (split !== 'cogent-a' && split !== 'cogent-b')) return COLORS;
  return (split === 'cogent-a') === (shape === 'cube') ? DULL : VIVID;
};

/** Combinations of shape and color that never occur in a split. */
export const combinationsWithheld = (split: SceneSplit): readonly (readonly [Shape, Color])[] =>
  SHAPES.flatMap((shape) =>
    COLORS.filter((color) => !colorsAllowed(split, shape).includes(color)).map((color) => [shape, color] as const),
  );
