import { splitPattern } from './tokenizer/word-level.ts';

/** Words of a caption in lower case, without punctuation and numbers, each once. */
export const captionWords = (caption: string): readonly string[] => [
  ...new Set((caption.toLowerCase().match(splitPattern) ?? []).filter((word) => /\p{L}/u.test(word))),
];
