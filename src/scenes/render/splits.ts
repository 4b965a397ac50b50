import { COLORS, SHAPES, type Color, type Shape } from './attributes.ts';

/**
 * - `standard`: all combinations of shape and colour, the training wordings.
 * - `paraphrase`: the same pictures as `standard` has for the seed; sentence patterns and word orders that no other
 *   split uses, made of words that the training wordings use too.
 * - `cogent-a`, `cogent-b`: the training wordings; cubes and cylinders come in four colours each, and the two splits
 *   swap which (the combinations of CLEVR-CoGenT).
 */
export const SPLITS = ['standard', 'paraphrase', 'cogent-a', 'cogent-b'] as const;
export type SceneSplit = (typeof SPLITS)[number];

/** Which set of sentence patterns a text is made from. The two sets share no pattern. */
export const WORDINGS = ['training', 'paraphrase'] as const;
export type Wording = (typeof WORDINGS)[number];

export const wordingOf = (split: SceneSplit): Wording => (split === 'paraphrase' ? 'paraphrase' : 'training');

const DULL: readonly Color[] = ['gray', 'blue', 'brown', 'yellow'];
const VIVID: readonly Color[] = ['red', 'green', 'purple', 'cyan'];

/** The colours that a shape may have. */
export const colorsAllowed = (split: SceneSplit, shape: Shape): readonly Color[] => {
  if (shape === 'sphere' || split === 'standard' || split === 'paraphrase') return COLORS;
  return (split === 'cogent-a') === (shape === 'cube') ? DULL : VIVID;
};

/** Shape and colour pairs that never occur in the split. */
export const combinationsWithheld = (split: SceneSplit): readonly (readonly [Shape, Color])[] =>
  SHAPES.flatMap((shape) =>
    COLORS.filter((color) => !colorsAllowed(split, shape).includes(color)).map((color) => [shape, color] as const),
  );
