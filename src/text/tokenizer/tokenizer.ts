import { MdetrError } from '../../errors.ts';
import { type EncodedBatch, type Encoding, padEncodings, TokenEncoding } from './encoding.ts';
import { codePointLength } from '../spans/code-points.ts';
import { AddedTokens } from './added-tokens.ts';
import { readTokenizerJson, readVocabAndMerges, type TokenizerDefinition } from './tokenizer-json.ts';

/** RoBERTa has 514 position rows, and position 0 and 1 are not used by tokens. */
const ROBERTA_MAX_TOKENS = 512;

/**
 * Maximum length of a caption in UTF-16 units. The longest token of RoBERTa's vocabulary has 128 bytes, so 512 tokens never
 * cover more than 65,536; the limit keeps hostile input cheap.
 */
const LONGEST_CAPTION = 100_000;

/** Options of `Tokenizer.encode`. */
export interface EncodeOptions {
  /**
   * Treatment of captions of more than `maxTokens` tokens: `'error'` (default) throws, `'end'` keeps the first
   * `maxTokens - 1` tokens and the closing one, with a message in the encoding's `warnings`.
   */
  readonly truncation?: 'error' | 'end';
}

/** Converts captions to token ids, with the characters that each token covers. */
export interface Tokenizer {
  /** Size of the vocabulary: the largest id plus 1. */
  readonly vocabSize: number;
  /** Id of the padding token. */
  readonly padId: number;
  /** Maximum number of tokens that the text encoder reads, special tokens included. */
  readonly maxTokens: number;
  /**
   * Encodes a caption. Every string that is not too long has an encoding.
   *
   * @throws {MdetrError} if the caption is too long (see `EncodeOptions`)
   */
  encode(text: string, options?: EncodeOptions): Encoding;
}

/** Options of a tokenizer. */
export interface TokenizerOptions {
  /** Maximum number of tokens that the text encoder reads. Default: 512, as for RoBERTa. */
  readonly maxTokens?: number;
  /** Name of the source in errors. */
  readonly where?: string;
}

/**
 * Makes a tokenizer from a parsed `tokenizer.json`.
 *
 * @throws {MdetrError} naming the field that cannot be used
 */
export const createTokenizer = (json: unknown, options: TokenizerOptions = {}): Tokenizer =>
  tokenizerOf(readTokenizerJson(json, options.where ?? 'tokenizer.json'), options.maxTokens);

/**
 * Makes a tokenizer from a parsed `vocab.json` and the text of `merges.txt`.
 *
 * @throws {MdetrError} naming the entry that cannot be used
 */
export const createTokenizerFromVocab = (
  vocabJson: unknown,
  mergesText: string,
  options: Omit<TokenizerOptions, 'where'> & { readonly vocabName?: string; readonly mergesName?: string } = {},
): Tokenizer => {
  const names = { vocab: options.vocabName ?? 'vocab.json', merges: options.mergesName ?? 'merges.txt' };
  return tokenizerOf(readVocabAndMerges(vocabJson, mergesText, names), options.maxTokens);
};

/** Makes a tokenizer of a definition that was read before. */
export const tokenizerOf = (
  definition: TokenizerDefinition,
  maxTokens: number | undefined = ROBERTA_MAX_TOKENS,
): Tokenizer => new CaptionTokenizer(definition, maxTokens);

/** Encodes captions and pads them to the longest. */
export const encodeBatch = (tokenizer: Tokenizer, captions: readonly string[], options?: EncodeOptions): EncodedBatch =>
  padEncodings(
    captions.map((caption) => tokenizer.encode(caption, options)),
    tokenizer.padId,
  );

const whiteSpace = /\p{White_Space}/u;

class CaptionTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly padId: number;
  readonly maxTokens: number;
  private readonly definition: TokenizerDefinition;
  private readonly addedTokens: AddedTokens;
  // Buffers, grown as needed and reused: each caption copies its part at the end.
  private ids = new Int32Array(64);
  private begins = new Int32Array(64);
  private ends = new Int32Array(64);
  private count = 0;

  constructor(definition: TokenizerDefinition, maxTokens: number) {
    this.definition = definition;
    this.vocabSize = definition.vocabulary.length;
    this.padId = definition.padId;
    this.maxTokens = maxTokens;
    this.addedTokens = new AddedTokens(definition.addedTokens);
  }

  encode(text: string, { truncation = 'error' }: EncodeOptions = {}): Encoding {
    if (text.length > LONGEST_CAPTION)
      throw new MdetrError(
        `The caption has ${text.length} characters; at most ${LONGEST_CAPTION} are allowed, and the text encoder ` +
          `reads at most ${this.maxTokens} tokens. Shorten it.`,
      );
    const { bosId, eosId, vocabulary, words } = this.definition;
    this.count = 0;
    this.push(bosId, 0, 0);
    this.encodeSections(text);
    this.push(eosId, 0, 0);
    const total = this.count;
    if (total > this.maxTokens) {
      if (truncation === 'error')
        throw new MdetrError(
          `The caption ${JSON.stringify(`${text.slice(0, 40)}…`)} has ${total} tokens; the text encoder reads at most ` +
            `${this.maxTokens}, special tokens included. Shorten it, or allow truncation.`,
        );
      this.count = this.maxTokens - 1;
      this.push(eosId, 0, 0);
    }
    return new TokenEncoding(
      text,
      this.ids.slice(0, this.count),
      this.begins.slice(0, this.count),
      this.ends.slice(0, this.count),
      vocabulary,
      { truncatedFrom: total > this.count ? total : undefined, unknownId: words.unknownId },
    );
  }

  /** Appends the tokens of a caption: its added tokens, and the words between them. */
  private encodeSections(text: string): void {
    let unit = 0; // End of the part encoded so far, in UTF-16 units and in code points.
    let codePoint = 0;
    for (const { token: added, index } of this.addedTokens.in(text)) {
      let begin = index;
      let end = begin + added.content.length;
      if (begin < unit) continue; // The token before strips the white space at its right, which includes this match.
      if (added.lstrip) while (begin > unit && whiteSpace.test(text[begin - 1]!)) begin--;
      if (added.rstrip) while (end < text.length && whiteSpace.test(text[end]!)) end++;
      codePoint = this.encodeWords(text.slice(unit, begin), codePoint);
      const codePointEnd = codePoint + codePointLength(text.slice(begin, end));
      this.push(added.id, codePoint, codePointEnd);
      unit = end;
      codePoint = codePointEnd;
    }
    this.encodeWords(text.slice(unit), codePoint);
  }

  /** Appends the tokens of `text`, which begins at code point `start` of the caption. Returns the code point of its end. */
  private encodeWords(text: string, start: number): number {
    const { words } = this.definition;
    let base = start;
    for (const word of text.match(words.pattern) ?? []) {
      const { ids, begins, ends, codePoints } = words.wordTokens(word);
      for (let i = 0; i < ids.length; i++) this.push(ids[i]!, base + begins[i]!, base + ends[i]!);
      base += codePoints;
    }
    return base;
  }

  private push(id: number, begin: number, end: number): void {
    if (this.count === this.ids.length) {
      this.ids = doubled(this.ids);
      this.begins = doubled(this.begins);
      this.ends = doubled(this.ends);
    }
    this.ids[this.count] = id;
    this.begins[this.count] = begin;
    this.ends[this.count] = end;
    this.count++;
  }
}

const doubled = (values: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(values.length * 2);
  larger.set(values);
  return larger;
};
