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

/** One query's standing for a phrase. */
export interface RankedBox {
  readonly query: number;
  /** Largest probability that the query gives to a token of the phrase. */
  readonly score: number;
  /** Pixels of the original image. */
  readonly box: BoxXyxy;
}

/**
 * The official `PostProcessFlickr` for one sample: for every phrase all boxes, best first; equal scores in the order of
 * the queries. A phrase without tokens gives every box 0. `phrases`: their tokens, as `createPositiveMap` finds them.
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

/** The rows of a dense positive map (phrases, 256), binary or normalized: entries above 1e-6, as the official code reads it. */
export const positiveRowsOf = (map: Float32Array, width = SOFT_TOKEN_CLASSES): PositiveRow[] =>
  Array.from({ length: map.length / width }, (_, row) => {
    const tokens: number[] = [];
    for (let token = 0; token < width; token++) if (map[row * width + token]! > 1e-6) tokens.push(token);
    return { count: tokens.length, tokens };
  });
