import { codePointLength } from '../spans/code-points.ts';
import type { WordModel, WordTokens } from './word-tokens.ts';

/**
 * Tokenizer model with one token per word, for small closed vocabularies such as that of the procedural scenes. Splits at
 * white space and punctuation, as Hugging Face's `BertPreTokenizer`; each punctuation mark is a word.
 */

/** Punctuation is Unicode's P and the ASCII symbols; each mark is a word of its own. Runs of white space match too. */
export const splitPattern = /[\p{P}$+<=>^`|~]|[^\p{White_Space}\p{P}$+<=>^`|~]+|\p{White_Space}+/gu;
const whiteSpace = /^\p{White_Space}/u;

/** Whether a match of the splitter is white space, which has no tokens. */
export const startsWithSpace = (word: string): boolean => whiteSpace.test(word);

/** Whether the splitter keeps `word` as one word. */
export const isOneWord = (word: string): boolean => !startsWithSpace(word) && word.match(splitPattern)?.length === 1;

/** Vocabulary of a word-level tokenizer. */
export interface WordLevelConfig {
  /** Word to id. */
  readonly vocab: ReadonlyMap<string, number>;
  /** Id of words that are not in the vocabulary. */
  readonly unkId: number;
  /** Whether words are looked up in lower case. Offsets are those of the text as given. */
  readonly lowercase: boolean;
}

/** Tokenizer model of entire words: an unlisted word is the unknown token. */
export class WordLevel implements WordModel {
  readonly pattern = splitPattern;
  readonly unknownId: number;
  private readonly config: WordLevelConfig;

  constructor(config: WordLevelConfig) {
    this.config = config;
    this.unknownId = config.unkId;
  }

  wordTokens(word: string): WordTokens {
    const { vocab, unkId, lowercase } = this.config;
    const codePoints = codePointLength(word);
    if (startsWithSpace(word)) return { ids: [], begins: [], ends: [], codePoints };
    const id = vocab.get(lowercase ? word.toLowerCase() : word) ?? unkId;
    return { ids: [id], begins: [0], ends: [codePoints], codePoints };
  }
}
