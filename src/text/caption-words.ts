import { quoted } from '../errors.ts';
import { splitPattern } from './tokenizer/word-level.ts';

/** Maximum number of unseen words that a warning lists. */
const MAX_LISTED = 10;

/** Words of a caption in lower case, without punctuation and numbers, each once. */
export const captionWords = (caption: string): readonly string[] => [
  ...new Set((caption.toLowerCase().match(splitPattern) ?? []).filter((word) => /\p{L}/u.test(word))),
];

/**
 * The warning about words of a caption that a model has never seen in training: it reads them by their parts and similar
 * words, if at all. None if the words of its training are not known.
 */
export const unseenWordWarnings = (caption: string, known: ReadonlySet<string> | undefined): readonly string[] => {
  if (known === undefined) return [];
  const unseen = captionWords(caption).filter((word) => !known.has(word));
  if (unseen.length === 0) return [];
  const listed = unseen.slice(0, MAX_LISTED).map(quoted).join(', ');
  const more = unseen.length > MAX_LISTED ? ` and ${unseen.length - MAX_LISTED} more words` : '';
  return [
    `The model has never seen ${listed}${more} in training, so it may ignore or misread ${unseen.length === 1 ? 'this word' : 'these words'}.`,
  ];
};
