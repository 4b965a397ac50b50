import type { Span } from './span.ts';

/** Words of a caption as a reader sees them, which is coarser than tokens: "life-jacket", "woman's", "7.89". */

/** Flags, and pictographs with their modifiers and joined sequences. */
const emoji = String.raw`\p{RI}\p{RI}|\p{ExtPict}[\p{EMod}\uFE0F\u20E3]*(?:\u200D\p{ExtPict}[\p{EMod}\uFE0F]*)*`;
/**
 * Scripts written without spaces: each letter with its marks is a word of its own, since longer ones cannot be found
 * without a dictionary, and dictionaries differ between platforms. Phrases join adjacent words again.
 */
const unspacedLetter = String.raw`[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\u30fc]`;
/** A letter, digit or mark of the other scripts. */
const inner = String.raw`(?:(?!${unspacedLetter})[\p{L}\p{N}\p{M}_])`;
/** Signs within one word: hyphens, apostrophes, and a point or comma between digits. */
const joiner = String.raw`(?:['\u2019\-\u2010\u2011](?=${inner})|(?<=\p{Nd})[.,](?=\p{Nd}))`;
const wordPattern = new RegExp(`${emoji}|${unspacedLetter}\\p{M}*|${inner}+(?:${joiner}${inner}+)*`, 'gu');

/** Text between two words of one phrase: nothing, white space, or a sign that joins words. */
export const WORD_TIE = /^(?:\p{White_Space}*|[-\u2010\u2011/&'\u2019])$/u;

/** Spans of a caption's words, in order, without punctuation and white space. Never throws. */
export const wordSpans = (caption: string): Span[] =>
  Array.from(caption.matchAll(wordPattern), ({ index, 0: word }) => ({ start: index, end: index + word.length }));
