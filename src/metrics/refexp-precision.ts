import { boxOverlap, type OverlapMeasure } from '../geometry/box-overlap.ts';
import { MdetrError } from '../errors.ts';
import { HitCounter, listed, type Evaluator, type Metrics } from './metrics.ts';
import type { RefexpPrediction } from './predictions.ts';

/** One expression with the boxes of the objects it refers to. */
export interface RefexpGroundTruth {
  /** Id of the row. */
  readonly imageId: number | string;
  /** `refcoco`, `refcoco+`, `refcocog`, `clevrref` or another name; each dataset has metrics of its own. */
  readonly datasetName: string;
  /** Boxes [x, y, width, height] in pixels, as in the annotation files. */
  readonly boxesXywh: readonly (readonly number[])[];
}

/** Options of referring-expression precision. */
export interface RefexpPrecisionOptions {
  /** Numbers of best boxes that count. Default [1, 5, 10]. */
  readonly topK?: readonly number[];
  /** Minimum overlap of a correct box. Default 0.5. */
  readonly threshold?: number;
  /**
   * Overlap of a correct box: `giou` (default) as in the official code, or `iou` as in the papers. GIoU is never above
   * IoU, so that `giou` gives slightly lower precision.
   */
  readonly criterion?: OverlapMeasure;
  /**
   * `refexp` (default) requires exactly one box for each expression and ranks by `scores`; `clevrref` skips expressions
   * with another number of boxes, and ranks by `scores_refexp`.
   */
  readonly variant?: 'refexp' | 'clevrref';
}

/**
 * Precision@k of referring expressions: fraction of expressions with a correct box among the k best. Metrics are named
 * `refcoco_Precision@1`. As in the official code, RefCOCO, RefCOCO+ and RefCOCOg are always reported, with 0 when they
 * have no expression. Official counterpart: `RefExpEvaluator`, `ClevrRefEvaluator`.
 *
 * @example
 *   const evaluator = new RefexpPrecisionEvaluator(groundTruth, { criterion: 'iou' });
 *   for (const prediction of predictions) evaluator.add(prediction);
 *   evaluator.summarize()['refcoco_Precision@1'];
 */
export class RefexpPrecisionEvaluator implements Evaluator<RefexpPrediction> {
  /** Notes about predictions that do not count. */
  readonly warnings: string[] = [];
  private readonly topK: readonly number[];
  private readonly threshold: number;
  private readonly criterion: OverlapMeasure;
  private readonly variant: 'refexp' | 'clevrref';
  private readonly targets = new Map<string, { readonly datasetName: string; readonly box: readonly number[] }>();
  /** Rank of the first correct box by image id, -1 when there is none. */
  private readonly ranks = new Map<string, number>();

  /** @throws {MdetrError} when the variant is `refexp` and an expression does not have exactly one box */
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

  /**
   * Adds the prediction for an image; a second one replaces the first.
   *
   * @returns reciprocal rank of the first correct box, 0 when there is none
   * @throws {MdetrError} when the numbers of boxes and scores differ
   */
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

  /** Precision by dataset, for ascending k. @throws {MdetrError} when images have no prediction */
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

  /** Precision at 1, 5 and 10 by data set. @throws {MdetrError} if images have no prediction */
  summarize(): Metrics {
    const ascending = [...this.topK].sort((a, b) => a - b);
    return Object.fromEntries(
      Object.entries(this.report()).flatMap(([name, values]) =>
        values.map((value, i) => [`${name}_Precision@${ascending[i]!}`, value]),
      ),
    );
  }
}

/** Order by descending score, then by descending box in lexicographic order, as sorting pairs does in Python. */
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
