/** Tokens of one word. Ranges are code points relative to the word's first character, without surrounding spaces. */
export interface WordTokens {
  readonly ids: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  /** Length of the word in code points. */
  readonly codePoints: number;
}

/** Splits text into words, and words into tokens. */
export interface WordModel {
  /** Global pattern with contiguous matches: every character is in one, white space too. */
  readonly pattern: RegExp;
  /** Token of words that are not in the vocabulary; undefined if every word has tokens. */
  readonly unknownId?: number;
  /** Tokens of one match; none for white space that the model does not keep. */
  wordTokens(word: string): WordTokens;
}
