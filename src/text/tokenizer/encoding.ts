import { MdetrError } from '../../errors.ts';
import { SOFT_TOKENS } from '../soft-tokens.ts';

/** The tokens of one caption, with the characters that each of them stands for. */
export interface Encoding {
  /** The caption as given. */
  readonly text: string;
  /** Token ids, with the special ones at both ends. */
  readonly ids: Int32Array;
  /** Token strings, in the tokenizer's own alphabet (`Ġbrown` for " brown" in byte-level BPE). */
  readonly tokens: readonly string[];
  /**
   * [begin, end) of every token in code points of the caption, without the spaces around it. Special tokens at the ends
   * have [0, 0); a token of spaces only has an empty range; the tokens of one cut character all have its whole range.
   */
  readonly offsets: readonly (readonly [begin: number, end: number])[];
  /** Number of tokens before truncation, when tokens were cut off. */
  readonly truncatedFrom?: number;
  /** What the caller should tell the user, in whole sentences: truncation, text that no box can be tied to, and words that
   * a closed vocabulary lacks. */
  readonly warnings: readonly string[];
  /**
   * First token that covers the character (a code point index), as the official code asks for it. Undefined for a
   * space and beyond the end. Throws MdetrError for a negative index (there it is an OverflowError).
   */
  charToToken(char: number): number | undefined;
}

/** An encoding over flat arrays; strings and pairs are made only when somebody asks for them. */
export class TokenEncoding implements Encoding {
  readonly text: string;
  readonly ids: Int32Array;
  readonly truncatedFrom?: number;
  private readonly begins: Int32Array;
  private readonly ends: Int32Array;
  private readonly vocabulary: readonly string[];
  private readonly unknownId: number | undefined;
  private tokenStrings?: readonly string[];
  private ranges?: readonly (readonly [number, number])[];

  /** `begins`, `ends`: one code point position per id. `vocabulary`: the token string of each id. */
  constructor(
    text: string,
    ids: Int32Array,
    begins: Int32Array,
    ends: Int32Array,
    vocabulary: readonly string[],
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
    return (this.tokenStrings ??= Array.from(this.ids, (id) => this.vocabulary[id]!));
  }

  get offsets(): readonly (readonly [number, number])[] {
    return (this.ranges ??= Array.from(this.begins, (begin, index) => [begin, this.ends[index]!] as const));
  }

  get warnings(): readonly string[] {
    const warnings: string[] = [];
    const count = this.ids.length;
    if (this.truncatedFrom !== undefined)
      warnings.push(`The caption has ${this.truncatedFrom} tokens; only the first ${count} were read.`);
    // The last token is </s>, which nobody points to.
    if (count - 1 > SOFT_TOKENS) {
      const lost = this.begins[SOFT_TOKENS]!;
      warnings.push(
        `The caption has ${count} tokens; boxes can be tied only to the first ${SOFT_TOKENS} of them, ` +
          `so nothing from character ${lost} on will be named.`,
      );
    }
    const unknown = this.unknownWords();
    if (unknown.length > 0)
      warnings.push(
        `The model does not know ${unknown.map((word) => JSON.stringify(word)).join(', ')}: its vocabulary is small, ` +
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
      // Somebody may have written the unknown token itself.
      if (id === this.unknownId && word !== '' && word !== this.vocabulary[id]) words.add(word);
    });
    return [...words];
  }

  charToToken(char: number): number | undefined {
    if (!Number.isInteger(char) || char < 0)
      throw new MdetrError(`A character index must be a whole number from 0 on, not ${char}.`);
    for (let token = 0; token < this.begins.length; token++)
      if (this.begins[token]! <= char && char < this.ends[token]!) return token;
    return undefined;
  }
}

/** Captions as the text encoder takes them. */
export interface EncodedBatch {
  /** (B, T) token ids, padded at the right with the tokenizer's pad id. */
  readonly inputIds: Int32Array;
  /** (B, T): 1 on tokens, 0 on padding. */
  readonly attentionMask: Int32Array;
  readonly B: number;
  /** Tokens of the longest caption. */
  readonly T: number;
  readonly encodings: readonly Encoding[];
}

/** Pads encodings to the longest one. */
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
