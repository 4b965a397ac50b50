import { MdetrError, quoted } from '../../errors.ts';
import { SOFT_TOKENS } from '../soft-tokens.ts';
import type { Vocabulary } from './tokenizer-json.ts';

/** Tokens of one caption, with their character ranges. */
export interface Encoding {
  /** The caption as given. */
  readonly text: string;
  /** Token ids, with the special ones at both ends. */
  readonly ids: Int32Array;
  /** Token strings, in the tokenizer's own alphabet (`Ġbrown` for " brown" in byte-level BPE). */
  readonly tokens: readonly string[];
  /**
   * [begin, end) of every token in code points of the caption, without surrounding spaces. Special tokens at the ends have
   * [0, 0), tokens of spaces only an empty range, and tokens that are parts of one character the range of the character.
   */
  readonly offsets: readonly (readonly [begin: number, end: number])[];
  /** Number of tokens before truncation, if the caption was truncated. */
  readonly truncatedFrom?: number;
  /** Messages for the user: truncation, text that no box can refer to, and words that a closed vocabulary lacks. */
  readonly warnings: readonly string[];
  /**
   * First token that covers a character, as `char_to_token` in the official code; undefined for a space and beyond the end.
   *
   * @param char index in code points
   * @throws {MdetrError} if the index is negative (an OverflowError in the official code)
   */
  charToToken(char: number): number | undefined;
}

/** Encoding over flat arrays; strings and pairs are made on first access. */
export class TokenEncoding implements Encoding {
  readonly text: string;
  readonly ids: Int32Array;
  readonly truncatedFrom?: number;
  private readonly begins: Int32Array;
  private readonly ends: Int32Array;
  private readonly vocabulary: Vocabulary;
  private readonly unknownId: number | undefined;
  private tokenStrings?: readonly string[];
  private ranges?: readonly (readonly [number, number])[];

  /**
   * @param begins first code point of each token
   * @param ends one past the last code point of each token
   * @param vocabulary token string of each id
   */
  constructor(
    text: string,
    ids: Int32Array,
    begins: Int32Array,
    ends: Int32Array,
    vocabulary: Vocabulary,
    {
      truncatedFrom,
      unknownId,
    }: { readonly truncatedFrom?: number | undefined; readonly unknownId?: number | undefined } = {},
  ) {
    this.text = text;
    this.ids = ids;
    this.begins = begins;
    this.ends = ends;
    this.vocabulary = vocabulary;
    if (truncatedFrom !== undefined) this.truncatedFrom = truncatedFrom;
    this.unknownId = unknownId;
  }

  get tokens(): readonly string[] {
    return (this.tokenStrings ??= Array.from(this.ids, (id) => this.vocabulary.at(id)!));
  }

  get offsets(): readonly (readonly [number, number])[] {
    return (this.ranges ??= Array.from(this.begins, (begin, index) => [begin, this.ends[index]!] as const));
  }

  get warnings(): readonly string[] {
    const warnings: string[] = [];
    const count = this.ids.length;
    if (this.truncatedFrom !== undefined)
      warnings.push(`The caption has ${this.truncatedFrom} tokens; only the first ${count} were read.`);
    // The last token is </s>, which no box refers to.
    if (count - 1 > SOFT_TOKENS) {
      const lost = this.begins[SOFT_TOKENS]!;
      warnings.push(
        `The caption has ${count} tokens; boxes can refer only to the first ${SOFT_TOKENS} of them, ` +
          `so nothing from character ${lost} on will be detected.`,
      );
    }
    const unknown = this.unknownWords();
    if (unknown.length > 0)
      warnings.push(
        `The model does not know ${unknown.map(quoted).join(', ')}: its vocabulary is small, ` +
          `and it reads ${unknown.length === 1 ? 'this word' : 'these words'} as any other unknown one.`,
      );
    return warnings;
  }

  /** Words of the caption that are not in the vocabulary, each once. */
  private unknownWords(): string[] {
    if (this.unknownId === undefined) return [];
    const characters = Array.from(this.text);
    const words = new Set<string>();
    this.ids.forEach((id, token) => {
      const word = characters.slice(this.begins[token], this.ends[token]).join('');
      // The caption may contain the unknown token itself.
      if (id === this.unknownId && word !== '' && word !== this.vocabulary.at(id)) words.add(word);
    });
    return [...words];
  }

  charToToken(char: number): number | undefined {
    return tokenAtCharacter(this.offsets, char);
  }
}

/**
 * First token whose range covers a character.
 *
 * @throws {MdetrError} if the index is negative
 */
export const tokenAtCharacter = (
  offsets: readonly (readonly [begin: number, end: number])[],
  char: number,
): number | undefined => {
  if (!Number.isInteger(char) || char < 0)
    throw new MdetrError(`A character index must be an integer from 0 on, not ${char}.`);
  const token = offsets.findIndex(([begin, end]) => begin <= char && char < end);
  return token < 0 ? undefined : token;
};

/** Captions as the text encoder takes them: B captions of at most T tokens. */
export interface EncodedBatch {
  /** (B, T) token ids, padded at the right with the tokenizer's pad id. */
  readonly inputIds: Int32Array;
  /** (B, T): 1 on tokens, 0 on padding. */
  readonly attentionMask: Int32Array;
  /** Number of captions. */
  readonly B: number;
  /** Number of tokens of the longest caption. */
  readonly T: number;
  readonly encodings: readonly Encoding[];
}

/** Pads encodings to the length of the longest one. */
export const padEncodings = (encodings: readonly Encoding[], padId: number): EncodedBatch => {
  const B = encodings.length;
  const T = encodings.reduce((longest, { ids }) => Math.max(longest, ids.length), 0);
  const inputIds = new Int32Array(B * T).fill(padId);
  const attentionMask = new Int32Array(B * T);
  encodings.forEach(({ ids }, row) => {
    inputIds.set(ids, row * T);
    attentionMask.fill(1, row * T, row * T + ids.length);
  });
  return { inputIds, attentionMask, B, T, encodings };
};
