import { type PartOfSpeech, type TaggedWord, tagWords } from './word-tags.ts';
import { wordSet } from '../word-set.ts';

/** A noun with the words to its left that belong to it, as word indices: "the man's old hat". */
export interface NounPhrase {
  /** Index of the first word. */
  readonly first: number;
  /** Index of the noun. */
  readonly head: number;
}

/** Words of a text, and its noun phrases in order. */
export interface ParsedText {
  readonly words: readonly TaggedWord[];
  readonly phrases: readonly NounPhrase[];
}

/** Positions in an image. "left guy" is tagged as a verb and a noun; as a head ("on the left") they name no object. */
const positions = wordSet(
  'left right top bottom front back middle center centre upper lower far near closest leftmost rightmost background foreground distance leftest most',
);
const possessives = wordSet('his her its their my our your whose');
const nominalQuantities = wordSet(
  'half stack pile slice piece row bunch pair set stuff close-up couple group herd bunch',
);
/** Nouns in -ing; all other such words after a noun are verbs: "zebra grazing". */
const thingsInIng = wordSet(
  'building ceiling railing clothing wing ring string king painting writing frosting icing lighting topping stuffing awning covering opening crossing paneling siding flooring wiring lettering drawing carving awning thing something anything everything nothing spring swing bedding padding fencing landing dressing pudding morning evening wedding earring duckling seedling dumpling sibling herring',
);
const participle = /(?:ed|en|[^aeiou]t|wn|ne|ung|oke|ut)$/;

/** Finds the noun phrases of an English caption. Never throws; text in other languages has few phrases. */
export const parseNounPhrases = (text: string): ParsedText => {
  // The tagger takes capitalized words for names, which captions rarely have. A few letters are longer in lower case.
  const lower = text.toLowerCase();
  const words = tagWords(lower.length === text.length ? lower : text);
  const parts = correctedParts(words);
  return { words, phrases: phrasesOf(words, parts) };
};

/** Whether a noun names a position in the image instead of an object. */
export const isPlace = (word: TaggedWord): boolean => positions.has(word.text.toLowerCase());

/** Parts of speech, with the tagger's usual errors on captions corrected: it was trained on sentences of news. */
const correctedParts = (words: readonly TaggedWord[]): PartOfSpeech[] => {
  const parts = words.map(({ pos }) => pos);
  const lower = words.map(({ text }) => text.toLowerCase());
  const nominal = (i: number): boolean => parts[i] === 'NOUN' || parts[i] === 'PROPN';
  const opens = (i: number): boolean =>
    i < 0 || ['DET', 'ADJ', 'NUM'].includes(parts[i]!) || possessives.has(lower[i]!);
  for (let i = 0; i < words.length; i++) {
    const word = lower[i]!;
    const before = i - 1;
    if (possessives.has(word) && i + 1 < words.length) parts[i] = 'DET';
    else if (positions.has(word)) {
      // "the bed closest to the window", "bottle near sink": not part of a noun phrase.
      if (before >= 0 && nominal(before) && !positions.has(lower[before]!))
        parts[i] = parts[i] === 'ADP' ? 'ADP' : 'ADV';
      else if (nominal(i + 1) || ['ADJ', 'NUM'].includes(parts[i + 1] ?? '')) parts[i] = 'ADJ';
      else if (parts[i] !== 'ADP') parts[i] = 'NOUN';
    } else if (nominalQuantities.has(word) && lower[i + 1] === 'of') parts[i] = 'NOUN';
    else if (word === 'half' && ['VERB', 'ADJ'].includes(parts[i + 1] ?? '')) parts[i] = 'ADV';
    else if (parts[i] === 'VERB' || parts[i] === 'NOUN') {
      if (word.endsWith('ing') && !thingsInIng.has(word)) {
        // "dog running" against "running dog", "parking meter".
        if (before >= 0 && nominal(before)) parts[i] = 'VERB';
        else if (opens(before) && nominal(i + 1)) parts[i] = 'ADJ';
      } else if (parts[i] === 'VERB') {
        // "parked cars", "snow covered mountains"; but "man dressed as", "a stack of".
        if (nominal(i + 1) && participle.test(word)) parts[i] = 'ADJ';
        else if (i === 0 && (words.length === 1 || ['ADP', 'VERB', 'AUX'].includes(parts[1]!))) parts[i] = 'NOUN';
        else if (before >= 0 && (opens(before) || parts[before] === 'ADP') && !nominal(i + 1)) parts[i] = 'NOUN';
      }
    }
  }
  return parts;
};

const phrasesOf = (words: readonly TaggedWord[], parts: readonly PartOfSpeech[]): NounPhrase[] => {
  const phrases: NounPhrase[] = [];
  let first = -1;
  let head = -1;
  const close = (): void => {
    if (head >= 0) phrases.push({ first, head });
    first = -1;
    head = -1;
  };
  words.forEach((word, i) => {
    const part = parts[i]!;
    const isNoun = part === 'NOUN' || part === 'PROPN';
    const isPossessive = part === 'PART' && /^['’]s?$/.test(word.text);
    if (isNoun || (isPossessive && head === i - 1)) {
      if (first < 0) first = i;
      head = isNoun ? i : -1;
    } else if (part === 'DET' || part === 'ADJ' || part === 'NUM') {
      // After the noun, a word that opens a phrase opens another one.
      if (head >= 0) close();
      if (first < 0) first = i;
    } else if (isInside(words, parts, i, first, head)) {
      // The phrase continues.
    } else close();
  });
  close();
  return phrases;
};

/** Adverbs, hyphens and "and" between the words before a noun: "very big", "t-shirt", "black and white cow". */
const isInside = (
  words: readonly TaggedWord[],
  parts: readonly PartOfSpeech[],
  i: number,
  first: number,
  head: number,
): boolean => {
  const next = parts[i + 1];
  const { text, start, end } = words[i]!;
  if (text === '-' && words[i - 1]?.end === start && words[i + 1]?.start === end) return true;
  if (head >= 0 || first < 0) return false;
  if (parts[i] === 'ADV') return next === 'ADJ' || next === 'NOUN';
  return parts[i] === 'CCONJ' && parts[i - 1] === 'ADJ' && (next === 'ADJ' || next === 'NOUN');
};
