import { CAPTION_PATTERNS, STATEMENT_PATTERNS } from './captions.ts';
import { EXPRESSION_PATTERNS } from './expressions.ts';
import { FAMILIES } from './questions.ts';
import { WORDINGS, type Wording } from '../render/splits.ts';
import { ADJECTIVES, ATTRIBUTE_WORDS, NOUNS, NUMBER_WORDS, RELATION_WORDS, SUPERLATIVES } from './words.ts';

/** Every pattern of a wording, from captions, statements, expressions and questions. */
export const patternsOf = (wording: Wording): readonly string[] => [
  ...CAPTION_PATTERNS[wording].flat(),
  ...STATEMENT_PATTERNS[wording],
  ...Object.values(EXPRESSION_PATTERNS[wording]).flat(),
  ...FAMILIES.flatMap(({ patterns }) => patterns[wording]),
];

/** Lower-case words and punctuation marks of a text, as the word-level tokeniser cuts it. */
export const wordsOf = (text: string): string[] => text.toLowerCase().match(/[a-z]+|[.,;:?]/g) ?? [];

/** What fills the slots of patterns, in any wording; `.` may end a caption. */
const SLOT_WORDS: readonly string[] = [
  ...Object.values(NOUNS).flat(2),
  ...Object.values(ADJECTIVES).flat(),
  ...Object.values(RELATION_WORDS).flat(),
  ...Object.values(SUPERLATIVES).flat(),
  ...Object.values(ATTRIBUTE_WORDS).flat(),
  ...NUMBER_WORDS.slice(1),
  ...['a', 'an', 'the', 'all', 'both', 'is', 'are', '.'],
];

/** The words that texts of the given wordings can contain, sorted. */
export const vocabularyOf = (wordings: readonly Wording[]): readonly string[] => {
  const patternWords = wordings.flatMap(patternsOf).flatMap((pattern) => wordsOf(pattern.replace(/\{[^}]*\}/g, ' ')));
  return [...new Set([...patternWords, ...SLOT_WORDS.flatMap(wordsOf)])].sort();
};

/**
 * The closed list of words for a word-level tokeniser: lower case, punctuation marks among them. Training texts use
 * every one of them; paraphrases use no other.
 */
export const SCENE_VOCABULARY: readonly string[] = vocabularyOf(WORDINGS);
