import { BPE } from '@huggingface/tokenizers';
import { codePointLength } from '../spans/code-points.ts';
import type { WordModel, WordTokens } from './word-tokens.ts';

/**
 * Byte-level BPE (GPT-2, RoBERTa): the text is cut into words that keep their leading space, a word's UTF-8 bytes are
 * written in an alphabet of 256 printable characters, and pairs of these are merged by rank. The merging is done by
 * `@huggingface/tokenizers`; the cutting and the character offsets, which that library does not give, are done here.
 */

/**
 * GPT-2's pattern for words. White space is Unicode's White_Space as in the official tokenizer; JavaScript's `\s`
 * differs from it in U+0085 and U+FEFF. It matches every character, so words lie end to end.
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

/** Words longer than this (UTF-16 units) are rare; caching them would only fill memory. */
const LONGEST_CACHED_WORD = 64;
/** Words kept; beyond it the cache starts anew. English captions use a few ten thousand. */
const CACHE_SIZE = 1 << 16;

export interface ByteLevelBpeConfig {
  /** Token string to id. */
  readonly vocab: ReadonlyMap<string, number>;
  /** Pairs to merge, best first. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** Id for a byte that has no token of its own; without it such a byte gives no token. */
  readonly unkId: number | undefined;
}

/** Splits captions into GPT-2 words and words into byte-level BPE tokens. */
export class ByteLevelBpe implements WordModel {
  readonly pattern = wordPattern;
  private readonly bpe: BPE;
  private readonly idOf: ReadonlyMap<string, number>;
  private readonly unkId: number | undefined;
  private readonly cache = new Map<string, WordTokens>();

  constructor({ vocab, merges, unkId }: ByteLevelBpeConfig) {
    // Ids are looked up here; the library merges without them, and its own table of them would only cost time.
    this.bpe = new BPE({ type: 'BPE', vocab: {}, merges });
    this.idOf = vocab;
    this.unkId = unkId;
  }

  wordTokens(word: string): WordTokens {
    const cached = this.cache.get(word);
    if (cached !== undefined) return cached;
    const tokens = this.tokenise(word);
    if (word.length <= LONGEST_CACHED_WORD) {
      if (this.cache.size >= CACHE_SIZE) this.cache.clear();
      this.cache.set(word, tokens);
    }
    return tokens;
  }

  private tokenise(word: string): WordTokens {
    const bytes = utf8.encode(word); // A lone surrogate becomes U+FFFD, three bytes, still one character.
    const pieces = this.bpe.bpe(Array.from(bytes, (byte) => byteAlphabet[byte]!).join(''));
    const isAscii = bytes.length === word.length;
    const characterOf = isAscii ? undefined : characterOfByte(bytes);
    const ids: number[] = [];
    const begins: number[] = [];
    const ends: number[] = [];
    let byte = 0;
    for (const piece of pieces) {
      const first = byte;
      byte += piece.length; // One character of the alphabet per byte.
      const id = this.idOf.get(piece) ?? this.unkId;
      if (id === undefined) continue;
      const begin = characterOf === undefined ? first : characterOf[first]!;
      const end = characterOf === undefined ? byte : characterOf[byte - 1]! + 1;
      ids.push(id);
      const [trimmedBegin, trimmedEnd] = trimSpaces(piece, begin, end);
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

/** A range without the spaces at the token's ends; leading ones first, so a token of spaces ends empty at its end. */
const trimSpaces = (token: string, begin: number, end: number): [begin: number, end: number] => {
  let leading = 0;
  while (leading < token.length && token[leading] === SPACE) leading++;
  const trimmedBegin = Math.min(begin + leading, end);
  let trailing = 0;
  while (trailing < token.length && token[token.length - 1 - trailing] === SPACE) trailing++;
  return [trimmedBegin, Math.max(end - trailing, trimmedBegin)];
};
