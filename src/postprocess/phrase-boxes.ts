import type { PositiveRow } from '../text/index.ts';
import { SOFT_TOKEN_CLASSES } from '../text/soft-tokens.ts';
import {
  boxAt,
  boxesCxcywhToXyxyPx,
  byFallingScore,
  type DetectionOutputs,
  type ImageSize,
  softmaxRows,
} from './scored-boxes.ts';
import type { BoxXyxy } from '../geometry/boxes.ts';

/** A query's box, ranked for one phrase. */
export interface RankedBox {
  readonly query: number;
  /** Largest probability that the query gives to a token of the phrase. */
  readonly score: number;
  /** Pixels of the original image. */
  readonly box: BoxXyxy;
}

/**
 * Boxes of all queries for every phrase of one sample, best first, as the official `PostProcessFlickr`. Equal scores keep
 * the order of the queries; all scores of a phrase without tokens are 0.
 *
 * @param phrases tokens of each phrase, as `createPositiveMap` finds them
 */
export const rankBoxesByPhrase = (
  outputs: DetectionOutputs,
  size: ImageSize,
  phrases: readonly PositiveRow[],
): RankedBox[][] => {
  const Q = outputs.boxes.length / 4;
  const probabilities = softmaxRows(outputs.logits, Q);
  const K = probabilities.length / Q;
  const boxes = boxesCxcywhToXyxyPx(outputs.boxes, size);
  return phrases.map(({ tokens }) => {
    const scores = Array.from({ length: Q }, (_, query) =>
      tokens.reduce((best, token) => Math.max(best, probabilities[query * K + token]!), 0),
    );
    return byFallingScore(scores).map((query) => ({ query, score: scores[query]!, box: boxAt(boxes, query) }));
  });
};

/** Rows of a dense positive map (phrases, 256), binary or normalized: entries above 1e-6, as in the official code. */
export const positiveRowsOf = (map: Float32Array, width = SOFT_TOKEN_CLASSES): PositiveRow[] =>
  Array.from({ length: map.length / width }, (_, row) => {
    const tokens: number[] = [];
    for (let token = 0; token < width; token++) if (map[row * width + token]! > 1e-6) tokens.push(token);
    return { count: tokens.length, tokens };
  });
