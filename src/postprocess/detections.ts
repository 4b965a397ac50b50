import type { CaptionPhrase, DetectedObject, ReferredObject } from '../results/types.ts';
import { withoutDuplicates } from '../geometry/duplicate-boxes.ts';
import { measuresOf } from '../results/measures.ts';
import { captionPhrases, CaptionSpans, type Encoding, type Span } from '../text/index.ts';
import {
  boxAt,
  byFallingScore,
  type DetectionOutputs,
  type ImageSize,
  postprocessBoxes,
  type ScoredBoxes,
} from './scored-boxes.ts';
import { DEFAULT_SPAN_THRESHOLD, DEFAULT_THRESHOLD } from './thresholds.ts';

/** Options of turning outputs into detections. */
export interface DetectionOptions {
  /**
   * Score that a detection must exceed, between 0 and 1. Default: the model's calibrated value, else 0.7, as in the official
   * demonstration.
   */
  readonly threshold?: number | undefined;
  /** Minimum probability of a phrase, between 0 and 1. Default 0.1. */
  readonly spanThreshold?: number | undefined;
  /** Minimum probability of a phrase's token as a fraction of the box's most probable token. Default 0.25. */
  readonly tokenFraction?: number | undefined;
  /**
   * Suppress a detection whose box overlaps that of a better one with the same label by more than this IoU, between 0 and
   * 1. Off by default: the model predicts a set.
   */
  readonly nms?: number | undefined;
  /**
   * Score above which a phrase counts as present, between 0 and 1. Default: the model's calibrated value; without one,
   * `present` is undefined.
   */
  readonly presence?: number | undefined;
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
 * Detections of one image and caption, best first. The model predicts a set, so overlapping boxes are kept unless `nms` is
 * given.
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

/** Largest probability of each range of the caption over all queries, as `CaptionPhrase.score`. Ranges are in UTF-16 units. */
export const phraseScoresOf = (outputs: DetectionOutputs, encoding: Encoding, ranges: readonly Span[]): number[] => {
  const queries = new QueryDetections(outputs, { width: 1, height: 1 }, encoding, {});
  return ranges.map((range) => queries.phraseScore(range));
};

/** Detections of the queries of one image and caption, made on demand. */
class QueryDetections {
  private readonly scored: ScoredBoxes;
  private readonly ranking: readonly number[];
  private readonly spans: CaptionSpans;
  private readonly threshold: number;
  private readonly spanThreshold: number;

  constructor(
    outputs: DetectionOutputs,
    private readonly size: ImageSize,
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
    const found = this.ranking.slice(0, this.countAbove()).map((query) => this.at(query));
    const { nms } = this.options;
    return nms === undefined ? found : withoutDuplicates(found, nms, ({ label }) => bareLabel(label));
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
    const found = new Map<string, Span & { readonly detections: number[] }>();
    detections.forEach(({ spans }, index) => {
      for (const { start, end } of spans) {
        const known = found.get(`${start}:${end}`);
        if (known === undefined) found.set(`${start}:${end}`, { start, end, detections: [index] });
        else known.detections.push(index);
      }
    });
    const addIfFree = ({ start, end }: Span): void => {
      if ([...found.values()].every((phrase) => phrase.end <= start || phrase.start >= end))
        found.set(`${start}:${end}`, { start, end, detections: [] });
    };
    captionPhrases(this.spans.caption).forEach(addIfFree);
    for (const query of this.ranking.slice(this.countAbove())) {
      // A span's probability is part of its query's score, so no later query has a span either.
      if (this.scored.scores[query]! < this.spanThreshold) break;
      this.at(query).spans.forEach(addIfFree);
    }
    const { presence } = this.options;
    return [...found.values()]
      .sort((a, b) => a.start - b.start || a.end - b.end)
      .map(({ start, end, detections: indices }) => {
        const score = this.phraseScore({ start, end });
        const text = this.spans.caption.slice(start, end);
        const present = presence === undefined ? {} : { present: score > presence };
        return { text, start, end, score, ...present, detections: indices };
      });
  }

  /** Largest probability of a range of the caption over all queries. */
  phraseScore({ start, end }: Span): number {
    const { probabilities, scores } = this.scored;
    const K = probabilities.length / scores.length;
    let best = 0;
    for (let query = 0; query < scores.length; query++)
      best = Math.max(best, this.spans.mass(probabilities.subarray(query * K, (query + 1) * K), start, end));
    return Math.min(1, best);
  }

  /** Number of queries whose score exceeds the threshold. */
  private countAbove(): number {
    const end = this.ranking.findIndex((query) => !(this.scored.scores[query]! > this.threshold));
    return end < 0 ? this.ranking.length : end;
  }

  private at(query: number): DetectedObject {
    const { probabilities, scores, boxes } = this.scored;
    const K = probabilities.length / scores.length;
    const spans = this.spans.phrases(probabilities.subarray(query * K, (query + 1) * K), {
      threshold: this.spanThreshold,
      tokenFraction: this.options.tokenFraction,
    });
    const box = boxAt(boxes, query);
    const label = spans[0]?.text ?? '';
    return { box, ...measuresOf(box, this.size), score: scores[query]!, label, spans, query };
  }
}

/** A label without article and case. */
const bareLabel = (label: string): string => label.toLowerCase().replace(/^(?:a|an|the)\s+/, '');
