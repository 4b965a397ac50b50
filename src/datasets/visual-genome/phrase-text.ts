import { tagWords } from '../../text/nouns/word-tags.ts';

/**
 * English stop words: NLTK's list without "above", "below", "between", "further", "he", "she", "they", as in the official
 * script.
 */
const STOP_WORDS = new Set(
  (
    "i me my myself we our ours ourselves you you're you've you'll you'd your yours yourself yourselves him his himself " +
    "she's her hers herself it it's its itself them their theirs themselves what which who whom this that that'll these " +
    'those am is are was were be been being have has had having do does did doing a an the and but if or because as until ' +
    'while of at by for with about against into through during before after to from up down in out on off over under ' +
    'again then once here there when where why how all any both each few more most other some such no nor not only own ' +
    "same so than too very s t can will just don don't should should've now d ll m o re ve y ain aren aren't couldn " +
    "couldn't didn didn't doesn doesn't hadn hadn't hasn hasn't haven haven't isn isn't ma mightn mightn't mustn mustn't " +
    "needn needn't shan shan't shouldn shouldn't wasn wasn't weren weren't won won't wouldn wouldn't"
  ).split(' '),
);

/** Replaces runs of white space and underscores by single spaces, and trims the ends. */
export const normalizeWhitespace = (text: string): string => text.replace(/[\s_]+/gu, ' ').replace(/^ +| +$/g, '');

/** Collapses repeated punctuation, any number of periods to three, and removes spaces around hyphens. */
export const simplifyPunctuation = (text: string): string =>
  text
    .replace(/([!?,;:-])\1+/g, '$1')
    .replace(/\.{2,}/g, '...')
    .replace(/\s?-\s?/g, '-');

/** A content word of a phrase: its range in UTF-16 units and its lemma. */
export interface ContentWord {
  readonly start: number;
  readonly end: number;
  readonly lemma: string;
}

/** Content words of a phrase, for comparing phrases: lower case, without punctuation and stop words. */
export const contentWords = (phrase: string): ContentWord[] => {
  const lowered = phrase.toLowerCase();
  // A few letters are longer in lower case, which would shift the offsets.
  const lower = lowered.length === phrase.length ? lowered : phrase;
  const tagged = tagWords(lower);
  const words: ContentWord[] = [];
  for (const { index: start, 0: raw } of lower.matchAll(/[^\s_]+/gu)) {
    const word = raw.replace(/[!?,;.:-]/g, '');
    if (word === '' || STOP_WORDS.has(word)) continue;
    const end = start + raw.length;
    // The tagger splits "dog's" into two tokens; the first one has the lemma.
    const first = tagged.find((token) => token.end > start && token.start < end);
    const isAligned = first !== undefined && first.start === start && word.startsWith(first.text);
    words.push({ start, end, lemma: isAligned && !/['’]/.test(word) ? first.lemma : word });
  }
  return words;
};
