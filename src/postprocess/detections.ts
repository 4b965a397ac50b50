import type { CaptionPhrase, DetectedObject, ReferredObject } from '../results/types.ts';
import { CaptionSpans, type Encoding } from '../text/index.ts';
import {
  boxAt,
  byFallingScore,
  type DetectionOutputs,
  type ImageSize,
  postprocessBoxes,
  type ScoredBoxes,
} from './scored-boxes.ts';
import { DEFAULT_SPAN_THRESHOLD, DEFAULT_THRESHOLD } from './thresholds.ts';

export interface DetectionOptions {
  /** Score that a detection must exceed, between 0 and 1. Default 0.7, as in the official demonstration. */
  readonly threshold?: number | undefined;
  /** Minimum probability of a phrase, between 0 and 1. Default 0.1. */
  readonly spanThreshold?: number | undefined;
  /** Minimum probability of a phrase's token as a fraction of the box's most probable token. Default 0.25. */
  readonly tokenFraction?: number | undefined;
}

/** Detections of one caption in one image. */
export interface CaptionDetections {
  /** Objects with a score above the threshold, best first. Empty when nothing in the image fits the caption. */
  readonly detections: readonly DetectedObject[];
  /** See `ResultBase.phrases`. */
  readonly phrases: readonly CaptionPhrase[];
  /** The object with the highest score, if no score is above the threshold. */
  readonly bestBelowThreshold: DetectedObject | undefined;
}

/**
 * Detections of one image and caption, best first. The model predicts a set, so overlapping boxes are not suppressed.
 *
 * @throws {MdetrError} if the outputs are not finite
 */
export const detectionsOf = (
  outputs: DetectionOutputs,
  size: ImageSize,
  encoding: Encoding,
  options: DetectionOptions = {},
): DetectedObject[] => new QueryDetections(outputs, size, encoding, options).above();

/**
 * Detections of one image and caption, with the caption's phrases and the best object below the threshold.
 *
 * @throws {MdetrError} if the outputs are not finite
 */
export const captionDetectionsOf = (
  outputs: DetectionOutputs,
  size: ImageSize,
  encoding: Encoding,
  options: DetectionOptions = {},
): CaptionDetections => {
  const queries = new QueryDetections(outputs, size, encoding, options);
  const detections = queries.above();
  const phrases = queries.phrases(detections);
  return { detections, phrases, bestBelowThreshold: detections.length === 0 ? queries.best() : undefined };
};

/**
 * The object that a referring expression means: the query with the largest score × P(is final), or score for a model
 * without that head. Returns undefined if that value does not exceed `threshold`, which is 0 when not given, so that
 * there is always an object, as in the official evaluation.
 *
 * @throws {MdetrError} if the outputs are not finite
 */
export const referredDetectionOf = (
  outputs: DetectionOutputs,
  size: ImageSize,
  encoding: Encoding,
  options: DetectionOptions = {},
): ReferredObject | undefined => new QueryDetections(outputs, size, encoding, options).referred(options.threshold ?? 0);

/** Detections of the queries of one image and caption, made on demand. */
class QueryDetections {
  private readonly scored: ScoredBoxes;
  private readonly ranking: readonly number[];
  private readonly spans: CaptionSpans;
  private readonly threshold: number;
  private readonly spanThreshold: number;

  constructor(
    outputs: DetectionOutputs,
    size: ImageSize,
    encoding: Encoding,
    private readonly options: DetectionOptions,
  ) {
    this.scored = postprocessBoxes(outputs, size);
    this.ranking = byFallingScore(this.scored.scores);
    this.spans = new CaptionSpans(encoding);
    this.threshold = options.threshold ?? DEFAULT_THRESHOLD;
    this.spanThreshold = options.spanThreshold ?? DEFAULT_SPAN_THRESHOLD;
  }

  above(): DetectedObject[] {
    return this.ranking.filter((query) => this.scored.scores[query]! > this.threshold).map((query) => this.at(query));
  }

  best(): DetectedObject | undefined {
    const [best] = this.ranking;
    return best === undefined ? undefined : this.at(best);
  }

  referred(threshold: number): ReferredObject | undefined {
    const values = this.scored.scoresRefexp ?? this.scored.scores;
    const best = byFallingScore(values)[0];
    if (best === undefined || !(values[best]! > threshold)) return undefined;
    return { ...this.at(best), scoreRefexp: values[best]! };
  }

  phrases(detections: readonly DetectedObject[]): CaptionPhrase[] {
    const found = new Map<string, CaptionPhrase>();
    detections.forEach(({ spans }, index) => {
      for (const { start, end, text, score } of spans) {
        const known = found.get(`${start}:${end}`);
        found.set(`${start}:${end}`, {
          text,
          start,
          end,
          score: Math.max(score, known?.score ?? 0),
          detections: [...(known?.detections ?? []), index],
        });
      }
    });
    for (const query of this.ranking.slice(detections.length)) {
      // A span's probability is part of its query's score, so no later query has a span either.
      if (this.scored.scores[query]! < this.spanThreshold) break;
      for (const { start, end, text, score } of this.at(query).spans) {
        const isFree = [...found.values()].every((phrase) => phrase.end <= start || phrase.start >= end);
        if (isFree) found.set(`${start}:${end}`, { text, start, end, score, detections: [] });
      }
    }
    return [...found.values()].sort((a, b) => a.start - b.start || a.end - b.end);
  }

  private at(query: number): DetectedObject {
    const { probabilities, scores, boxes } = this.scored;
    const K = probabilities.length / scores.length;
    const spans = this.spans.phrases(probabilities.subarray(query * K, (query + 1) * K), {
      threshold: this.spanThreshold,
      tokenFraction: this.options.tokenFraction,
    });
    return { box: boxAt(boxes, query), score: scores[query]!, label: spans[0]?.text ?? '', spans, query };
  }
}
