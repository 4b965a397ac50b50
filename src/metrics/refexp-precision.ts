import { boxOverlap, type OverlapMeasure } from '../geometry/box-overlap.ts';
import { MdetrError } from '../errors.ts';
import { HitCounter, listed, type Evaluator, type Metrics } from './metrics.ts';
import type { RefexpPrediction } from './predictions.ts';

/** One expression with the boxes of what it refers to. */
export interface RefexpGroundTruth {
  readonly imageId: number | string;
  /** `refcoco`, `refcoco+`, `refcocog`, `clevrref` or a name of one's own; numbers are kept apart by it. */
  readonly datasetName: string;
  /** x, y, width, height as in the annotation files. */
  readonly boxesXywh: readonly (readonly number[])[];
}

export interface RefexpPrecisionOptions {
  readonly topK?: readonly number[];
  readonly threshold?: number;
  /**
   * `giou` is what the official code thresholds. The metric of the papers is `iou`: GIoU is never above IoU, so `giou`
   * understates the precision a little.
   */
  readonly criterion?: OverlapMeasure;
  /**
   * `refexp` demands exactly one box per expression and ranks by `scores`; `clevrref` skips expressions that have not
   * exactly one, and ranks by `scores_refexp`.
   */
  readonly variant?: 'refexp' | 'clevrref';
}

/**
 * Precision@k for referring expressions: the share of expressions for which one of the k best boxes meets the one
 * that is referred to. Numbers are named `refcoco_Precision@1`. As in the official code the sets RefCOCO, RefCOCO+
 * and RefCOCOg are always reported, with 0 when they have no expression.
 */
export class RefexpPrecisionEvaluator implements Evaluator<RefexpPrediction> {
  readonly warnings: string[] = [];
  private readonly topK: readonly number[];
  private readonly threshold: number;
  private readonly criterion: OverlapMeasure;
  private readonly variant: 'refexp' | 'clevrref';
  private readonly targets = new Map<string, { readonly datasetName: string; readonly box: readonly number[] }>();
  /** Place of the first box that meets the target, -1 when none does. */
  private readonly ranks = new Map<string, number>();

  /** @throws {MdetrError} when an expression has not exactly one box and the variant is `refexp` */
  constructor(groundTruth: Iterable<RefexpGroundTruth>, options: RefexpPrecisionOptions = {}) {
    this.topK = options.topK ?? [1, 5, 10];
    this.threshold = options.threshold ?? 0.5;
    this.criterion = options.criterion ?? 'giou';
    this.variant = options.variant ?? 'refexp';
    for (const { imageId, datasetName, boxesXywh } of groundTruth) {
      const box = boxesXywh[0];
      if (boxesXywh.length !== 1 || box === undefined) {
        if (this.variant === 'clevrref') continue;
        throw new MdetrError(
          `Image ${imageId} has ${boxesXywh.length} boxes; a referring expression has exactly one. ` +
            `For data like CLEVR-Ref+ use the variant "clevrref", which skips such expressions.`,
        );
      }
      const [x, y, width, height] = box as [number, number, number, number];
      this.targets.set(String(imageId), { datasetName, box: [x, y, width + x, height + y] });
    }
  }

  /** A second prediction for an image replaces the first. @returns 1 / (place of the first box that meets the target) */
  add(prediction: RefexpPrediction): number | undefined {
    const target = this.targets.get(String(prediction.image_id));
    if (target === undefined) return undefined;
    const scores = this.variant === 'clevrref' ? prediction.scores_refexp : prediction.scores;
    if (scores?.length !== prediction.boxes.length) {
      const field = this.variant === 'clevrref' ? 'scores_refexp' : 'scores';
      throw new MdetrError(
        `The prediction for image ${prediction.image_id} has ${prediction.boxes.length} boxes and ` +
          `${scores === undefined ? 'no' : scores.length} "${field}".`,
      );
    }
    const order = scores.map((_, i) => i).sort((a, b) => compareDescending(scores, prediction.boxes, a, b));
    // In float32 like the official evaluator, so that an overlap that rounds to the threshold falls on the same side.
    const overlapWithTarget = (i: number): number =>
      boxOverlap(this.criterion, prediction.boxes[i]!, 0, target.box, 0, 'float32');
    const rank = order.findIndex((i) => overlapWithTarget(i) >= this.threshold);
    this.ranks.set(String(prediction.image_id), rank);
    return rank < 0 ? 0 : 1 / (rank + 1);
  }

  /** Per data set the precision for every k, from the smallest to the largest. @throws {MdetrError} when some are missing */
  report(): Readonly<Record<string, readonly number[]>> {
    const missing = [...this.targets.keys()].filter((id) => !this.ranks.has(id));
    if (missing.length > 0) {
      throw new MdetrError(`No prediction for ${missing.length} of ${this.targets.size} images: ${listed(missing)}.`);
    }
    const names = this.variant === 'clevrref' ? ['clevrref'] : ['refcoco', 'refcoco+', 'refcocog'];
    const counters = new Map<string, HitCounter>(names.map((name) => [name, new HitCounter()]));
    for (const [id, { datasetName }] of this.targets) {
      // The official CLEVR-Ref+ evaluator counts all images under one name.
      const name = this.variant === 'clevrref' ? 'clevrref' : datasetName;
      const counter = counters.get(name) ?? new HitCounter();
      counters.set(name, counter);
      const rank = this.ranks.get(id)!;
      for (const k of this.topK) counter.add(String(k), rank >= 0 && rank < k);
    }
    return Object.fromEntries(
      [...counters].map(([name, counter]) => [
        name,
        this.topK.map((k) => counter.rate(String(k))).sort((a, b) => a - b),
      ]),
    );
  }

  summarize(): Metrics {
    const ascending = [...this.topK].sort((a, b) => a - b);
    return Object.fromEntries(
      Object.entries(this.report()).flatMap(([name, values]) =>
        values.map((value, i) => [`${name}_Precision@${ascending[i]!}`, value]),
      ),
    );
  }
}

/** Highest score first; equal scores by the box, the lexicographically larger first, as sorting pairs in Python does. */
const compareDescending = (
  scores: readonly number[],
  boxes: readonly (readonly number[])[],
  a: number,
  b: number,
): number => {
  if (scores[a] !== scores[b]) return scores[b]! - scores[a]!;
  for (let k = 0; k < 4; k++) if (boxes[a]![k] !== boxes[b]![k]) return boxes[b]![k]! - boxes[a]![k]!;
  return 0;
};
