import { MdetrError } from '../../errors.ts';
import { SOFT_TOKEN_CLASSES } from '../soft-tokens.ts';
import type { Encoding } from '../tokenizer/encoding.ts';
import type { CodePointSpan } from './span.ts';

/** The tokens that one box (or phrase) is tied to. */
export interface PositiveRow {
  /** Number of tokens. */
  readonly count: number;
  /** Token indices below `SOFT_TOKEN_CLASSES`, ascending. */
  readonly tokens: readonly number[];
}

/**
 * Ties boxes to tokens as the official `create_positive_map` does: `tokensPositive` has one list of character spans per
 * box. A span's first character may lie on a space or in a gap: then the next one and the one after are tried, and for
 * its last character the two before. A span without tokens is skipped; a box without spans gets an empty row. Tokens
 * from index 256 on are left out silently, as there; token 255 shares its slot with "no object".
 *
 * Throws MdetrError for a span that begins below 0 or ends at 0 or below (the official code raises OverflowError).
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

/** `tokensOfSpan` of a span that has to be a range of the caption. */
const tokenRange = (
  encoding: Pick<Encoding, 'charToToken'>,
  [begin, end]: CodePointSpan,
  box: number,
): readonly [first: number, last: number] | undefined => {
  if (!Number.isInteger(begin) || !Number.isInteger(end) || begin < 0 || end < 1)
    throw new MdetrError(
      `Span [${begin}, ${end}) of box ${box + 1} is not a range of the caption's characters: ` +
        `it must begin at 0 or later and end at 1 or later, in whole numbers.`,
    );
  return tokensOfSpan([begin, end], encoding);
};

/**
 * First and last token of a span, both inclusive; the last one is before the first when the span is empty. When the first
 * character has no token, the next two are tried, and for the last character the previous two. Undefined when there is no
 * token for either end.
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
 * Rows of 1 / (count + 1e-6), (boxes, 256), in float32 arithmetic as the official function returns them. The losses do
 * not see these: see `binaryPositiveMap`.
 */
export const normalizedPositiveMap = (rows: readonly PositiveRow[]): Float32Array =>
  densePositiveMap(rows, ({ count }) => 1 / Math.fround(count + Math.fround(1e-6)));

/**
 * Rows of 0 and 1, (boxes, 256): what the official collate function makes of the normalized map (it copies it into a
 * boolean tensor), and so what matcher, criterion and Flickr post-processor work with.
 */
export const binaryPositiveMap = (rows: readonly PositiveRow[]): Float32Array => densePositiveMap(rows, () => 1);

const densePositiveMap = (rows: readonly PositiveRow[], value: (row: PositiveRow) => number): Float32Array => {
  const map = new Float32Array(rows.length * SOFT_TOKEN_CLASSES);
  rows.forEach((row, index) => {
    for (const token of row.tokens) map[index * SOFT_TOKEN_CLASSES + token] = value(row);
  });
  return map;
};
