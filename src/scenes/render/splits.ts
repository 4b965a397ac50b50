import { COLORS, SHAPES, type Color, type Shape } from './attributes.ts';

/**
 * Splits of generated scenes.
 * - `standard`: all combinations of shape and color, training wording.
 * - `paraphrase`: the same images as `standard`; sentence patterns and word orders that no other split uses, with words
 *   that the training wording uses too.
 * - `cogent-a`, `cogent-b`: training wording; cubes and cylinders have four colors each, which the two splits swap (the
 *   combinations of CLEVR-CoGenT).
 */
export const SPLITS = ['standard', 'paraphrase', 'cogent-a', 'cogent-b'] as const;
export type SceneSplit = (typeof SPLITS)[number];

/** Sets of sentence patterns. The two sets share no pattern. */
export const WORDINGS = ['training', 'paraphrase'] as const;
export type Wording = (typeof WORDINGS)[number];

/** Default wording of a split. */
export const wordingOf = (split: SceneSplit): Wording => (split === 'paraphrase' ? 'paraphrase' : 'training');

const DULL: readonly Color[] = ['gray', 'blue', 'brown', 'yellow'];
const VIVID: readonly Color[] = ['red', 'green', 'purple', 'cyan'];

/** Colors that a shape can have in a split. */
export const colorsAllowed = (split: SceneSplit, shape: Shape): readonly Color[] => {
  if (shape === 'sphere' || split === 'standard' || split === 'paraphrase') return COLORS;
  return (split === 'cogent-a') === (shape === 'cube') ? DULL : VIVID;
};

/** Combinations of shape and color that never occur in a split. */
export const combinationsWithheld = (split: SceneSplit): readonly (readonly [Shape, Color])[] =>
  SHAPES.flatMap((shape) =>
    COLORS.filter((color) => !colorsAllowed(split, shape).includes(color)).map((color) => [shape, color] as const),
  );
