import type { LvisPrediction } from '../../metrics/predictions.ts';
import { byFallingScore } from '../../postprocess/scored-boxes.ts';

const only = ({ image_id, scores, labels, boxes }: LvisPrediction, kept: readonly number[]): LvisPrediction => ({
  image_id,
  scores: kept.map((index) => scores[index]!),
  labels: kept.map((index) => labels[index]!),
  boxes: kept.map((index) => boxes![index]!),
});

/**
 * The `limit` best detections of an image; the others cannot count and need not be saved. Their order is kept, since it
 * decides between equal scores.
 */
export const bestOfImage = (prediction: LvisPrediction, limit: number): LvisPrediction =>
  only(
    prediction,
    byFallingScore(prediction.scores)
      .slice(0, limit)
      .sort((a, b) => a - b),
  );

/**
 * Filter of detections that can still be among the `limit` best of their category: those with a score above the worst of
 * `limit` earlier ones. All detections of LVIS' minival would take 35 GB, the filtered ones a tenth.
 */
export class CategoryBest {
  private readonly categories = new Map<number, { scores: Float64Array; size: number; floor: number }>();

  constructor(private readonly limit: number) {}

  /** Detections of an image that can still count, in their order. */
  readonly filter = (prediction: LvisPrediction): LvisPrediction =>
    only(
      prediction,
      [...prediction.scores.keys()].filter((index) =>
        this.canCount(prediction.labels[index]!, prediction.scores[index]!),
      ),
    );

  private canCount(category: number, score: number): boolean {
    let own = this.categories.get(category);
    if (own === undefined) {
      own = { scores: new Float64Array(2 * this.limit), size: 0, floor: -Infinity };
      this.categories.set(category, own);
    }
    // Between equal scores the earlier detection counts.
    if (score <= own.floor) return false;
    own.scores[own.size++] = score;
    if (own.size === own.scores.length) {
      own.scores.sort().copyWithin(0, this.limit);
      own.size = this.limit;
      own.floor = own.scores[0]!;
    }
    return true;
  }
}
