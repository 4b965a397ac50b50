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

export interface TextOfKind {
  readonly caption: CaptionText;
  readonly expression: ExpressionText;
  readonly question: QuestionText;
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
 * `count` texts of a kind about a scene, in the wording of its split, no two alike. Fewer when the scene has no more to
 * say, which for a few texts of three objects or more does not happen. About 20,000 captions a second, a tenth of that
 * for questions; cheap enough to be made anew whenever a picture is shown in training.
 *
 * To augment by mirroring, mirror the scene first (`mirrorScene`) and make texts of the result.
 */
export const makeTexts = <K extends TextKind>(
  scene: TextScene,
  kind: K,
  random: Random,
  options: TextOptions & { readonly count?: number } = {},
): TextOfKind[K][] => {
  const sets = new ObjectSets(scene);
  const wording = options.wording ?? wordingOf(scene.split ?? 'standard');
  const make = MAKERS[kind] as (...args: [ObjectSets, typeof wording, Random, TextOptions]) => SceneText | undefined;
  const texts = new Map<string, SceneText>();
  const count = options.count ?? 1;
  for (let tries = 0; texts.size < count && tries < TRIES * count; tries++) {
    const text = make(sets, wording, random, options);
    if (text !== undefined && !texts.has(text.text)) texts.set(text.text, text);
  }
  return [...texts.values()] as TextOfKind[K][];
};
