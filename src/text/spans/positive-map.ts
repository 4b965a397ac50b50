import { MdetrError } from '../../errors.ts';
import { SOFT_TOKEN_CLASSES } from '../soft-tokens.ts';
import type { Encoding } from '../tokenizer/encoding.ts';
import type { CodePointSpan } from './span.ts';

/** Tokens that one box or phrase refers to: a row of the positive map. */
export interface PositiveRow {
  /** Number of tokens. */
  readonly count: number;
  /** Token indices below `SOFT_TOKEN_CLASSES`, ascending. */
  readonly tokens: readonly number[];
}

/**
 * Positive map of a caption's boxes, as the official `create_positive_map` computes it: the tokens that each box refers to.
 * If the first character of a span has no token (a space, say), the next two are tried; for the last character, the two
 * before. A span without tokens is skipped; a box without spans gets an empty row. Tokens from index 256 on are left out
 * silently, as in the official code; token 255 shares its slot with "no object".
 *
 * @param tokensPositive one list of character spans per box, in code points
 * @throws {MdetrError} for a span that begins below 0 or ends at 0 or below (the official code raises OverflowError)
 */
export const createPositiveMap = (
  encoding: Pick<Encoding, 'charToToken'>,
  tokensPositive: readonly (readonly CodePointSpan[])[],
): PositiveRow[] =>
  tokensPositive.map((spans, box) => {
    const tokens = new Set<number>();
    for (const span of spans) {
      const range = tokenRange(encoding, span, box);
      if (range === undefined) continue;
      for (let token = range[0]; token <= Math.min(range[1], SOFT_TOKEN_CLASSES - 1); token++) tokens.add(token);
    }
    return { count: tokens.size, tokens: [...tokens].sort((a, b) => a - b) };
  });

/** `tokensOfSpan`, for a span that must be a range of the caption. */
const tokenRange = (
  encoding: Pick<Encoding, 'charToToken'>,
  [begin, end]: CodePointSpan,
  box: number,
): readonly [first: number, last: number] | undefined => {
  if (!Number.isInteger(begin) || !Number.isInteger(end) || begin < 0 || end < 1)
    throw new MdetrError(
      `Span [${begin}, ${end}) of box ${box + 1} is not a range of the caption's characters: ` +
        `it must begin at 0 or later and end at 1 or later, as integers.`,
    );
  return tokensOfSpan([begin, end], encoding);
};

/**
 * First and last token of a span, both inclusive; for an empty span, the last one is before the first. If the first
 * character has no token, the next two are tried, and for the last character the previous two. Returns undefined if an end
 * has no token.
 *
 * @param retries encoding in which the neighbors are looked up; the alignment loss of the official code uses another
 *   caption's
 */
export const tokensOfSpan = (
  [begin, end]: CodePointSpan,
  encoding: Pick<Encoding, 'charToToken'>,
  retries = encoding,
): readonly [first: number, last: number] | undefined => {
  const retry = (char: number): number | undefined => (char < 0 ? undefined : retries.charToToken(char));
  const first = encoding.charToToken(begin) ?? retry(begin + 1) ?? retry(begin + 2);
  const last = encoding.charToToken(end - 1) ?? retry(end - 2) ?? retry(end - 3);
  return first === undefined || last === undefined ? undefined : [first, last];
};

/**
 * Normalized positive map, (boxes, 256): 1 / (count + 1e-6) on the tokens of each box, in float32 arithmetic as in the
 * official function. The losses use `binaryPositiveMap`.
 */
export const normalizedPositiveMap = (rows: readonly PositiveRow[]): Float32Array =>
  densePositiveMap(rows, ({ count }) => 1 / Math.fround(count + Math.fround(1e-6)));

/**
 * Binary positive map, (boxes, 256). The official collate function copies the normalized map into a boolean tensor, so
 * matcher, criterion and the Flickr30k post-processor work with this one.
 */
export const binaryPositiveMap = (rows: readonly PositiveRow[]): Float32Array => densePositiveMap(rows, () => 1);

const densePositiveMap = (rows: readonly PositiveRow[], value: (row: PositiveRow) => number): Float32Array => {
  const map = new Float32Array(rows.length * SOFT_TOKEN_CLASSES);
  rows.forEach((row, index) => {
    for (const token of row.tokens) map[index * SOFT_TOKEN_CLASSES + token] = value(row);
  });
  return map;
};
