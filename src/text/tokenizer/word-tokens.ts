/** What a word becomes. Ranges are code points from the word's first character, without surrounding spaces. */
export interface WordTokens {
  readonly ids: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  /** Length of the word in code points. */
  readonly codePoints: number;
}

/** A way to cut text into words and words into tokens. */
export interface WordModel {
  /** A global pattern whose matches lie end to end: every character is in one, white space too. */
  readonly pattern: RegExp;
  /** The token of words that are not in the vocabulary, where there are such words. */
  readonly unknownId?: number;
  /** Tokens of one match; none for white space that the model does not keep. */
  wordTokens(word: string): WordTokens;
}
