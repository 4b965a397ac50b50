import { CAPTION_PATTERNS, STATEMENT_PATTERNS } from './captions.ts';
import { EXPRESSION_PATTERNS } from './expressions.ts';
import { FAMILIES } from './questions.ts';
import { WORDINGS, type Wording } from '../render/splits.ts';
import { ADJECTIVES, ATTRIBUTE_WORDS, NOUNS, NUMBER_WORDS, RELATION_WORDS, SUPERLATIVES } from './words.ts';

/** All patterns of a wording: captions, statements, expressions and questions. */
export const patternsOf = (wording: Wording): readonly string[] => [
  ...CAPTION_PATTERNS[wording].flat(),
  ...STATEMENT_PATTERNS[wording],
  ...Object.values(EXPRESSION_PATTERNS[wording]).flat(),
  ...FAMILIES.flatMap(({ patterns }) => patterns[wording]),
];

/** Splits a text into lower-case words and punctuation, like the word-level tokenizer. */
export const wordsOf = (text: string): string[] => text.toLowerCase().match(/[a-z]+|[.,;:?]/g) ?? [];

/** Words that fill the slots of patterns, in any wording; `.` may end a caption. */
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

/** All words that texts of the given wordings can contain, sorted. */
export const vocabularyOf = (wordings: readonly Wording[]): readonly string[] => {
  const patternWords = wordings.flatMap(patternsOf).flatMap((pattern) => wordsOf(pattern.replace(/\{[^}]*\}/g, ' ')));
  return [...new Set([...patternWords, ...SLOT_WORDS.flatMap(wordsOf)])].sort();
};

/**
 * Complete vocabulary of the texts, for a word-level tokenizer: lower-case words and punctuation. The training wording
 * uses every word, paraphrases use no others.
 */
export const SCENE_VOCABULARY: readonly string[] = vocabularyOf(WORDINGS);
