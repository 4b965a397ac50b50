import { BPE } from '@huggingface/tokenizers';
import { codePointLength } from '../spans/code-points.ts';
import { splitPattern, startsWithSpace } from './word-level.ts';
import { cachedTokens } from './word-cache.ts';
import type { WordModel, WordTokens } from './word-tokens.ts';

/**
 * Words and pieces: a word of the vocabulary is one token, any other word is a start sign and its pieces, which BPE merges
 * from characters; characters that the vocabulary lacks are written as UTF-8 bytes. So no word is unknown, and no two words
 * have the same tokens. In Hugging Face's terms: Lowercase, BertPreTokenizer and Metaspace, and BPE with `ignore_merges`
 * and `byte_fallback`. Whole words begin with the start sign (`▁car`), pieces do not (`car` in `carpet`), so that a word is
 * never confused with another that contains it.
 */

/** Start sign of words, U+2581. */
export const WORD_START = '▁';

/** Pre-tokenizers of words and pieces, in the order of the file. */
export const WORD_PIECE_SPLITTERS = [
  { type: 'BertPreTokenizer' },
  { type: 'Metaspace', replacement: WORD_START, prepend_scheme: 'always', split: false },
] as const;

/** Token of a byte: `<0x0A>`. */
export const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** Stands for a character that the vocabulary lacks while pieces are merged; U+FFFF is no character of any text. */
const MISSING = '\uFFFF';

const utf8 = new TextEncoder();

/** Vocabulary and merges of a tokenizer of words and pieces. */
export interface WordPiecesConfig {
  /** Token string to id, with tokens for all 256 bytes and the start sign. */
  readonly vocab: ReadonlyMap<string, number>;
  /** Pairs of pieces to merge, best first. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/** Splits captions into words and punctuation, and words into tokens. */
export class WordPieces implements WordModel {
  readonly pattern = splitPattern;
  private readonly vocab: ReadonlyMap<string, number>;
  private readonly bpe: BPE;
  private readonly bytes: readonly number[];
  readonly wordTokens = cachedTokens((word) => this.tokenize(word));

  constructor({ vocab, merges }: WordPiecesConfig) {
    this.vocab = vocab;
    this.bpe = new BPE({ type: 'BPE', vocab: {}, merges });
    this.bytes = Array.from({ length: 256 }, (_, byte) => vocab.get(byteToken(byte))!);
  }

  private tokenize(word: string): WordTokens {
    const codePoints = codePointLength(word);
    if (startsWithSpace(word)) return { ids: [], begins: [], ends: [], codePoints };
    // Lower case may be longer: İ becomes two characters, which both have the range of the one.
    const letters: string[] = [];
    const origins: number[] = [];
    Array.from(word).forEach((character, index) => {
      for (const letter of character.toLowerCase()) {
        letters.push(letter);
        origins.push(index);
      }
    });
    // The start sign has the range of the first character, as in Hugging Face tokenizers.
    if (letters[0] !== WORD_START) {
      letters.unshift(WORD_START);
      origins.unshift(0);
    }
    const whole = this.vocab.get(letters.join(''));
    if (whole !== undefined) return { ids: [whole], begins: [0], ends: [codePoints], codePoints };
    return { ...this.pieces(letters, origins), codePoints };
  }

  /** Tokens of the pieces of a word, with their ranges. */
  private pieces(letters: readonly string[], origins: readonly number[]): Omit<WordTokens, 'codePoints'> {
    const known = letters.map((letter) => (this.vocab.has(letter) ? letter : MISSING));
    const ids: number[] = [];
    const begins: number[] = [];
    const ends: number[] = [];
    let at = 0;
    const add = (id: number, length: number): void => {
      ids.push(id);
      begins.push(origins[at]!);
      ends.push(origins[at + length - 1]! + 1);
    };
    for (const part of this.bpe.bpe(known.join(''))) {
      const length = codePointLength(part);
      if (part === MISSING) for (const byte of utf8.encode(letters[at])) add(this.bytes[byte]!, 1);
      else add(this.vocab.get(part)!, length);
      at += length;
    }
    return { ids, begins, ends };
  }
}
