import type { CriterionConfig } from './config.ts';

/** [begin, end) of a caption in code points. */
export type CharacterSpan = readonly [begin: number, end: number];

/** Looks up tokens by character: the first token that covers a code point, `undefined` where none does. */
export interface TokenLookup {
  charToToken(char: number): number | undefined;
}

/**
 * Which tokens each box is to be aligned with: rows of 0 and 1, (N, T), boxes of all samples one after another.
 *
 * A span's first character may have no token (a space): then the next is tried and the one after, and for its last
 * character the two before. The official code makes these second tries in the batch's first caption whatever the
 * sample, which `first_caption` copies. A span for which nothing is found is skipped.
 *
 * @param spans of every box of every sample
 * @param encodings of every sample's caption
 * @param tokens T, the length of the padded captions
 */
export const alignmentMap = (
  spans: readonly (readonly (readonly CharacterSpan[])[])[],
  encodings: readonly TokenLookup[],
  tokens: number,
  fallback: CriterionConfig['align_fallback'],
): Float32Array => {
  const boxes = spans.reduce((count, ofSample) => count + ofSample.length, 0);
  const map = new Float32Array(boxes * tokens);
  let box = 0;
  spans.forEach((ofSample, sample) => {
    const own = encodings[sample]!;
    const second = fallback === 'own_caption' ? own : encodings[0]!;
    for (const ofBox of ofSample) {
      for (const span of ofBox) {
        const range = tokenRange(own, second, span);
        if (range !== undefined) map.fill(1, box * tokens + range[0], box * tokens + Math.max(range[0], range[1] + 1));
      }
      box++;
    }
  });
  return map;
};

/** First and last token of a span, both inclusive; the last may come before the first when the span is empty. */
const tokenRange = (
  own: TokenLookup,
  second: TokenLookup,
  [begin, end]: CharacterSpan,
): readonly [first: number, last: number] | undefined => {
  const retry = (char: number): number | undefined => (char < 0 ? undefined : second.charToToken(char));
  const first = own.charToToken(begin) ?? retry(begin + 1) ?? retry(begin + 2);
  const last = own.charToToken(end - 1) ?? retry(end - 2) ?? retry(end - 3);
  return first === undefined || last === undefined ? undefined : [first, last];
};
