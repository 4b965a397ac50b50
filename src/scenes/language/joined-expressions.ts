import type { Random } from '../../random/random.ts';
import type { TextScene } from '../render/scene.ts';
import { makeTexts } from './make-texts.ts';
import type { Program } from './program.ts';
import type { Sentence } from './sentence.ts';
import type { ExpressionText, TextOptions } from './texts.ts';

/** Referring expressions about different objects, joined into one text. */
export interface JoinedExpressions extends Sentence {
  /** Kind of text. */
  readonly kind: 'expressions';
  /** The program of each expression. */
  readonly programs: readonly Program[];
}

const SEPARATORS = ['; ', ', ', '. '];
/** Attempts at an expression about other objects. */
const TRIES = 8;

/**
 * Joins up to `count` referring expressions, as section 4 of the paper joins the texts of an image: a pair teaches more,
 * and words have to be told apart. No object is mentioned by two of them. Undefined if the scene has no expression.
 */
export const joinExpressions = (
  scene: TextScene,
  count: number,
  random: Random,
  options: TextOptions,
): JoinedExpressions | undefined => {
  const chosen: ExpressionText[] = [];
  const mentioned = new Set<number>();
  for (let tries = 0; chosen.length < count && tries < TRIES + count; tries++) {
    const [next] = makeTexts(scene, 'expression', random, options);
    if (next === undefined) break;
    const objects = next.phrases.flatMap((phrase) => phrase.objects);
    if (objects.some((object) => mentioned.has(object))) continue;
    objects.forEach((object) => mentioned.add(object));
    chosen.push(next);
  }
  if (chosen.length === 0) return undefined;
  return { kind: 'expressions', programs: chosen.map(({ program }) => program), ...joined(chosen, random) };
};

const joined = (sentences: readonly Sentence[], random: Random): Sentence => {
  const separator = random.pick(SEPARATORS);
  let text = '';
  const phrases = sentences.flatMap((sentence, index) => {
    const from = index === 0 ? 0 : text.length + separator.length;
    text += index === 0 ? sentence.text : separator + sentence.text;
    return sentence.phrases.map((phrase) => ({ ...phrase, start: phrase.start + from, end: phrase.end + from }));
  });
  return { text, phrases };
};
