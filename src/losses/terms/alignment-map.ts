import { tokensOfSpan, type CodePointSpan, type Encoding } from '../../text/index.ts';
import type { CriterionConfig } from '../config.ts';

/**
 * Tokens that each box is aligned with: (N, T) zeros and ones, the boxes of all samples concatenated. A span without
 * tokens is skipped.
 *
 * When the first or last character of a span has no token (a space), its neighbors are tried. The official code looks
 * these up in the first caption of the batch whatever the sample; `first_caption` reproduces that.
 *
 * @param spans of every box of every sample
 * @param encodings of every sample's caption
 * @param tokens T, the length of the padded captions
 */
export const alignmentMap = (
  spans: readonly (readonly (readonly CodePointSpan[])[])[],
  encodings: readonly Pick<Encoding, 'charToToken'>[],
  tokens: number,
  fallback: CriterionConfig['align_fallback'],
): Float32Array => {
  const boxes = spans.reduce((count, ofSample) => count + ofSample.length, 0);
  const map = new Float32Array(boxes * tokens);
  let box = 0;
  spans.forEach((ofSample, sample) => {
    const own = encodings[sample]!;
    const retries = fallback === 'own_caption' ? own : encodings[0]!;
    for (const ofBox of ofSample) {
      for (const span of ofBox) {
        const range = tokensOfSpan(span, own, retries);
        if (range !== undefined) map.fill(1, box * tokens + range[0], box * tokens + Math.max(range[0], range[1] + 1));
      }
      box++;
    }
  });
  return map;
};
