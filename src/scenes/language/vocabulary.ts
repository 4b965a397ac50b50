import { CAPTION_PATTERNS, STATEMENT_PATTERNS } from './captions.ts';
import { EXPRESSION_PATTERNS } from './expressions.ts';
import { FAMILIES } from './questions.ts';
import { WORDINGS, type Wording } from '../render/splits.ts';
import { WIDE_FRAMES } from './patterns/wide-frames.ts';
import { expandMacros } from './patterns/expand.ts';
import {
  ADJECTIVES,
  ATTRIBUTE_WORDS,
  NOUNS,
  NUMBER_WORDS,
  RELATION_WORDS,
  SUPERLATIVES,
  WIDE_ADJECTIVES,
  WIDE_ATTRIBUTE_WORDS,
  WIDE_GROUP_WORDS,
  WIDE_NOUNS,
  WIDE_PHRASE_WORDS,
  WIDE_RELATION_WORDS,
  WIDE_SUPERLATIVES,
} from './words.ts';

/** All patterns of a wording: captions, statements, expressions and questions. */
export const patternsOf = (wording: Wording): readonly string[] => [
  ...CAPTION_PATTERNS[wording].flat(),
  ...STATEMENT_PATTERNS[wording],
  ...Object.values(EXPRESSION_PATTERNS[wording]).flat(),
  ...FAMILIES.flatMap(({ patterns }) => patterns[wording]),
];

/** Splits a text into lower-case words, numbers and punctuation, like the word-level tokenizer. */
export const wordsOf = (text: string): string[] => text.toLowerCase().match(/[a-z]+|\d+|[^a-z\d\s]/g) ?? [];

/** Words that fill the slots of patterns in any wording; `.` may end a caption. */
const SLOT_WORDS: readonly string[] = [
  ...Object.values(NOUNS).flat(2),
  ...Object.values(ADJECTIVES).flat(),
  ...Object.values(RELATION_WORDS).flat(),
  ...Object.values(SUPERLATIVES).flat(),
  ...Object.values(ATTRIBUTE_WORDS).flat(),
  ...NUMBER_WORDS.slice(1),
  'a',
  'an',
  'the',
  'all',
  'both',
  'is',
  'are',
  '.',
];

/** Further words of the wide wording, besides those of its patterns. */
const WIDE_SLOT_WORDS: readonly string[] = [
  ...Object.values(WIDE_NOUNS).flat(2),
  ...Object.values(WIDE_ADJECTIVES).flat(),
  ...Object.values(WIDE_RELATION_WORDS).flat(),
  ...Object.values(WIDE_SUPERLATIVES).flat(),
  ...Object.values(WIDE_ATTRIBUTE_WORDS).flat(),
  ...Object.values(WIDE_GROUP_WORDS).flat(),
  ...Object.values(WIDE_FRAMES).flatMap(({ before, after }) => [...before, ...after].map(expandMacros)),
  ...WIDE_PHRASE_WORDS,
  ...Array.from({ length: 9 }, (_, count) => String(count + 2)),
];

/** Further words of the phrases of `paraphrase2`. */
const PARAPHRASE2_SLOT_WORDS = ['whose', 'and', ','];

const slotWords = (wording: Wording): readonly string[] => [
  ...SLOT_WORDS,
  ...(wording === 'wide' ? WIDE_SLOT_WORDS : []),
  ...(wording === 'paraphrase2' ? PARAPHRASE2_SLOT_WORDS : []),
];

/** All correctly spelled words that texts of the given wordings can contain, sorted. */
export const vocabularyOf = (wordings: readonly Wording[]): readonly string[] => {
  const plain = (pattern: string): string =>
    expandMacros(pattern)
      .replace(/\{[^}]*\}/g, ' ')
      .replace(/[[\]|]/g, ' ');
  const patternWords = wordings.flatMap(patternsOf).flatMap((pattern) => wordsOf(plain(pattern)));
  const others = wordings.flatMap(slotWords).flatMap((words) => wordsOf(plain(words)));
  return [...new Set([...patternWords, ...others])].sort();
};

/**
 * Complete vocabulary of the plain texts, for a word-level tokenizer: lower-case words and punctuation. The training
 * wording uses every word, the split `paraphrase` uses no others.
 */
export const SCENE_VOCABULARY: readonly string[] = vocabularyOf(['training', 'paraphrase']);

/** Words of all texts, those of the wide language and of `paraphrase2` too. */
export const WIDE_SCENE_VOCABULARY: readonly string[] = vocabularyOf(WORDINGS);
