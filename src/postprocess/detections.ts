import { CaptionSpans, type Encoding, type TextSpan } from '../text/index.ts';
import {
  boxAt,
  byFallingScore,
  type DetectionOutputs,
  type ImageSize,
  postprocessBoxes,
  type ScoredBoxes,
} from './scored-boxes.ts';
import type { BoxXyxy } from '../geometry/boxes.ts';

/** One box that the model found, and the phrases of the caption that it stands for. */
export interface Detection {
  /** Pixels of the original image. The model's box is not clamped, so it may reach a little beyond the image. */
  readonly box: BoxXyxy;
  /** 1 − P(no object). */
  readonly score: number;
  /** Best first; empty when the probability lies on no word. */
  readonly spans: readonly TextSpan[];
  /** The decoder query that gave the box: the row of its mask, its projections, its `isfinal`. */
  readonly query: number;
}

export interface DetectionOptions {
  /** Boxes need a score above this. Default 0.7, as the official demonstration has it. */
  readonly threshold?: number;
  /** Phrases need at least this probability. Default 0.1. */
  readonly spanThreshold?: number;
  /** See `SpanOptions.tokenShare`. Default 0.25. */
  readonly tokenShare?: number;
}

/** The one object that an expression refers to. */
export interface ReferredDetection extends Detection {
  /** Score × P(is final) where the model has that head, else the score: what it was chosen by. */
  readonly scoreRefexp: number;
}

/**
 * Detections of one image and caption, best first. An empty list when nothing in the image fits the caption. The model
 * predicts a set, so there is no suppression of overlapping boxes.
 */
export const detectionsOf = (
  outputs: DetectionOutputs,
  size: ImageSize,
  encoding: Encoding,
  options: DetectionOptions = {},
): Detection[] => {
  const scored = postprocessBoxes(outputs, size);
  const { threshold = 0.7 } = options;
  const spans = new CaptionSpans(encoding);
  return byFallingScore(scored.scores)
    .filter((query) => scored.scores[query]! > threshold)
    .map((query) => detectionAt(scored, query, spans, options));
};

/**
 * The best query for a referring expression; undefined when its score does not exceed `threshold`, which is 0 when not
 * given, so that there is always an answer, as in the official evaluation.
 */
export const referredDetectionOf = (
  outputs: DetectionOutputs,
  size: ImageSize,
  encoding: Encoding,
  options: DetectionOptions = {},
): ReferredDetection | undefined => {
  const scored = postprocessBoxes(outputs, size);
  const ranking = scored.scoresRefexp ?? scored.scores;
  const best = byFallingScore(ranking)[0];
  if (best === undefined || !(ranking[best]! > (options.threshold ?? 0))) return undefined;
  return { ...detectionAt(scored, best, new CaptionSpans(encoding), options), scoreRefexp: ranking[best]! };
};

const detectionAt = (
  { probabilities, scores, boxes }: ScoredBoxes,
  query: number,
  spans: CaptionSpans,
  { spanThreshold, tokenShare: tokenFraction }: DetectionOptions,
): Detection => {
  const K = probabilities.length / scores.length;
  const row = probabilities.subarray(query * K, (query + 1) * K);
  return {
    box: boxAt(boxes, query),
    score: scores[query]!,
    spans: spans.phrases(row, {
      ...(spanThreshold !== undefined && { threshold: spanThreshold }),
      ...(tokenFraction !== undefined && { tokenFraction }),
    }),
    query,
  };
};
