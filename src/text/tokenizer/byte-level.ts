import { BPE } from '@huggingface/tokenizers';
import { codePointLength } from '../spans/code-points.ts';
import { cachedTokens } from './word-cache.ts';
import type { WordModel, WordTokens } from './word-tokens.ts';

/**
 * Byte-level BPE (GPT-2, RoBERTa): the text is split into words that keep their leading space, a word's UTF-8 bytes are
 * written in an alphabet of 256 printable characters, and pairs of these are merged by rank. `@huggingface/tokenizers`
 * merges; it has no character offsets, so they and the split into words are computed here.
 */

/**
 * GPT-2's pattern for words. White space is Unicode's White_Space as in the official tokenizer; JavaScript's `\s`
 * differs from it in U+0085 and U+FEFF. It matches every character, so words are contiguous.
 */
const wordPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The 256 characters that stand for the bytes: printable Latin-1 as itself, the others from U+0100 on in order. */
export const byteAlphabet: readonly string[] = (() => {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();
const SPACE = byteAlphabet[0x20]!;

const utf8 = new TextEncoder();

/** Vocabulary of byte-level BPE. */
export interface ByteLevelBpeConfig {
  /** Token string to id. */
  readonly vocab: ReadonlyMap<string, number>;
  /** Pairs to merge, best first. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** Id of bytes without a token of their own; if undefined, they are skipped. */
  readonly unkId: number | undefined;
}

/** Merges and tokens of byte-level BPE. */
export interface BpeTable {
  /** Merges the characters of one word; what comes out need not be in the vocabulary. */
  merge(word: string): readonly string[];
  /** Id of a token. */
  idOf(token: string): number | undefined;
}

/** Tables of a vocabulary that was read from text. */
export const bpeTableOf = ({ vocab, merges }: ByteLevelBpeConfig): BpeTable => {
  // The library merges without ids; they are looked up here, so its own table is left empty.
  const bpe = new BPE({ type: 'BPE', vocab: {}, merges });
  return { merge: (word) => bpe.bpe(word), idOf: (token) => vocab.get(token) };
};

/** Splits captions into GPT-2 words and words into byte-level BPE tokens. */
export class ByteLevelBpe implements WordModel {
  readonly pattern = wordPattern;
  readonly wordTokens = cachedTokens((word) => this.tokenize(word));

  constructor(
    private readonly table: BpeTable,
    private readonly unkId: number | undefined,
  ) {}

  private tokenize(word: string): WordTokens {
    const bytes = utf8.encode(word); // A lone surrogate becomes U+FFFD, three bytes, still one character.
    const parts = this.table.merge(Array.from(bytes, (byte) => byteAlphabet[byte]!).join(''));
    const isAscii = bytes.length === word.length;
    const characterOf = isAscii ? undefined : characterOfByte(bytes);
    const ids: number[] = [];
    const begins: number[] = [];
    const ends: number[] = [];
    let byte = 0;
    for (const part of parts) {
      const first = byte;
      byte += part.length; // One character of the alphabet per byte.
      const id = this.table.idOf(part) ?? this.unkId;
      if (id === undefined) continue;
      const begin = characterOf === undefined ? first : characterOf[first]!;
      const end = characterOf === undefined ? byte : characterOf[byte - 1]! + 1;
      ids.push(id);
      const [trimmedBegin, trimmedEnd] = trimSpaces(part, begin, end);
      begins.push(trimmedBegin);
      ends.push(trimmedEnd);
    }
    return { ids, begins, ends, codePoints: isAscii ? word.length : codePointLength(word) };
  }
}

/** Index of the character that each UTF-8 byte belongs to: continuation bytes are 10xxxxxx. */
const characterOfByte = (bytes: Uint8Array): Int32Array => {
  let character = -1;
  return Int32Array.from(bytes, (byte) => ((byte & 0xc0) === 0x80 ? character : ++character));
};

/** A token's range without leading and trailing spaces; for a token of spaces only, the empty range at its end. */
const trimSpaces = (token: string, begin: number, end: number): [begin: number, end: number] => {
  let leading = 0;
  while (leading < token.length && token[leading] === SPACE) leading++;
  const trimmedBegin = Math.min(begin + leading, end);
  let trailing = 0;
  while (trailing < token.length && token[token.length - 1 - trailing] === SPACE) trailing++;
  return [trimmedBegin, Math.max(end - trailing, trimmedBegin)];
};
