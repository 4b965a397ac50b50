import { CodePointMap } from '../spans/code-points.ts';
import { isPlace, type NounPhrase, parseNounPhrases, type ParsedText } from './noun-phrases.ts';
import type { CodePointSpan } from '../spans/span.ts';
import { wordSet } from '../word-set.ts';

/** The root of a text: the words that name what it is about. Spans are in code points, one per word. */
export interface RootPhrase {
  /** The root noun with the words to its left; all of the text where it has none. */
  readonly rootSpans: readonly CodePointSpan[];
  /** All words but those of other nouns and the words to their left: what no other object's box may claim. */
  readonly negativeSpans: readonly CodePointSpan[];
  /** The root noun alone. Undefined where the whole text stands for it. */
  readonly rootNoun: CodePointSpan | undefined;
}

/** Options of `rootOfPhrase`. */
export interface RootOptions {
  /** Whether a text with a single noun is the root as a whole, as in the official preparation of referring expressions. */
  readonly wholeIfOneNoun?: boolean;
}

/** Attributes that questions ask for, which are not the object: "what color is the shirt". */
const askedAttributes = wordSet(
  'color colour size shape material side pattern texture kind type sort number name part',
);
const auxiliaries = wordSet(
  'is are was were do does did has have had can could will would should may might am be isn aren',
);
const questionWords = wordSet('what which who whose where when why how whom');
const onlookers = wordSet('you we i');
const openers = wordSet('there here this that these those it');

/** Finds the root of an English caption, expression or question. Never throws. */
export const rootOfPhrase = (text: string, { wholeIfOneNoun = false }: RootOptions = {}): RootPhrase => {
  const parsed = parseNounPhrases(text);
  const { words, phrases } = parsed;
  const points = new CodePointMap(text);
  const whole: CodePointSpan = [0, points.codePoints];
  const root = wholeIfOneNoun && phrases.length <= 1 ? undefined : rootOf(parsed);
  if (root === undefined) return { rootSpans: [whole], negativeSpans: [whole], rootNoun: undefined };
  const spanOf = (i: number): CodePointSpan => [points.toCodePoint(words[i]!.start), points.toCodePoint(words[i]!.end)];
  const others = new Set(phrases.filter((phrase) => phrase !== root).flatMap(wordsOf));
  return {
    rootSpans: wordsOf(root).map(spanOf),
    negativeSpans: [...words.keys()].filter((i) => !others.has(i)).map(spanOf),
    rootNoun: spanOf(root.head),
  };
};

const wordsOf = ({ first, head }: NounPhrase): number[] =>
  Array.from({ length: head - first + 1 }, (_, i) => first + i);

const rootOf = (parsed: ParsedText): NounPhrase | undefined => {
  const lower = parsed.words.map(({ text }) => text.toLowerCase());
  const named = parsed.phrases.filter(({ head }) => !isPlace(parsed.words[head]!));
  const asks = auxiliaries.has(lower[0] ?? '') || lower.at(-1) === '?' || questionWords.has(lower[0] ?? '');
  return asks ? rootOfQuestion(lower, named) : rootOfStatement(parsed, lower, named);
};

const rootOfQuestion = (lower: readonly string[], named: readonly NounPhrase[]): NounPhrase | undefined => {
  const asked = named.filter(({ head }) => !askedAttributes.has(lower[head]!));
  // "on which side of the photo is the clock": the words before the verb are about the position.
  const asksWhere = !questionWords.has(lower[0]!) && lower.slice(1, 3).some((word) => questionWords.has(word));
  const verb = lower.findIndex((word) => auxiliaries.has(word));
  const behindVerb = asksWhere ? asked.find(({ first }) => first > verb) : undefined;
  return behindVerb ?? asked[0] ?? named[0];
};

const rootOfStatement = (
  { words, phrases }: ParsedText,
  lower: readonly string[],
  named: readonly NounPhrase[],
): NounPhrase | undefined => {
  const start =
    openers.has(lower[0] ?? '') && auxiliaries.has(lower[1] ?? '') ? 2 : onlookers.has(lower[0] ?? '') ? 1 : 0;
  const main = named[0];
  if (main === undefined) return undefined;
  if (['ADP', 'SCONJ'].includes(words[start]?.pos ?? '') && !isPlace(words[start]!)) {
    // "while the sun sets, a couple walks", "behind the counter a woman smiles".
    const comma = lower.indexOf(',');
    const behindComma = comma > 0 ? named.find(({ first }) => first > comma) : undefined;
    const unbound = named.find(({ first }, k) => k > 0 && phrases.some(({ head }) => head === first - 1));
    return behindComma ?? unbound ?? main;
  }
  // "the one with the glasses", "far left of the table": the noun after the preposition is another object,
  // unless that is "of": "the smaller of the two zebras".
  const between = words.slice(start, main.first);
  const bound = between.findLast(({ pos, text }) => pos === 'ADP' && text.toLowerCase() !== 'of');
  return bound === undefined ? main : undefined;
};
