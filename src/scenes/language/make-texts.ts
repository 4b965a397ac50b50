import { makeCaption, makeNegative } from './captions.ts';
import { makeExpression } from './expressions.ts';
import { ObjectSets } from './object-sets.ts';
import { makeQuestion } from './questions.ts';
import type { Random } from '../../random/random.ts';
import type { TextScene } from '../render/scene.ts';
import { wordingOf } from '../render/splits.ts';
import type {
  CaptionText,
  ExpressionText,
  NegativeText,
  QuestionText,
  SceneText,
  TextKind,
  TextOptions,
} from './texts.ts';

/** Types of texts by kind. */
export interface TextOfKind {
  /** Text that mentions several objects. */
  readonly caption: CaptionText;
  /** Text that refers to one object. */
  readonly expression: ExpressionText;
  /** Text with an answer. */
  readonly question: QuestionText;
  /** Text that mentions absent objects. */
  readonly negative: NegativeText;
}

const MAKERS = {
  caption: makeCaption,
  expression: makeExpression,
  question: makeQuestion,
  negative: makeNegative,
} satisfies { [K in TextKind]: unknown };

const TRIES = 60;

/**
 * Generates `count` different texts of a kind about a scene (default 1), in the wording of its split. Returns fewer if the
 * scene does not allow that many, which is rare for a few texts and three or more objects. Speed: about 20,000 captions or
 * 2,000 questions per second, fast enough to generate new texts for every training step.
 *
 * For horizontal flips, flip the scene first (`flipScene`) and generate texts from the result.
 */
export const makeTexts = <K extends TextKind>(
  scene: TextScene,
  kind: K,
  random: Random,
  options: TextOptions & { readonly count?: number } = {},
): TextOfKind[K][] => {
  const sets = new ObjectSets(scene);
  const wording = options.wording ?? wordingOf(scene.split ?? 'standard', options.language);
  const make = MAKERS[kind] as (...args: [ObjectSets, typeof wording, Random, TextOptions]) => SceneText | undefined;
  const texts = new Map<string, SceneText>();
  const count = options.count ?? 1;
  for (let tries = 0; texts.size < count && tries < TRIES * count; tries++) {
    const text = make(sets, wording, random, options);
    if (text !== undefined && !texts.has(text.text)) texts.set(text.text, text);
  }
  return [...texts.values()] as TextOfKind[K][];
};
