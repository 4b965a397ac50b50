import { IOU_THRESHOLDS, RECALL_POINTS } from '../../metrics/average-precision.ts';

/** Ranked detections of many images, whose average precision is computed for any weights of the images. */
export class WeightedPrecision {
  private readonly scores: number[] = [];
  private readonly images: number[] = [];
  /** Bit t: the detection matches an object at `IOU_THRESHOLDS[t]`. */
  private readonly matched: number[] = [];
  /** Number of objects by image. */
  private readonly objects = new Map<number, number>();
  private order: Uint32Array | undefined;

  /** Number of detections. */
  get size(): number {
    return this.scores.length;
  }

  /** Number of objects to find. */
  get objectCount(): number {
    return [...this.objects.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Adds a detection; `matched` has a bit for each IoU threshold. */
  add(image: number, score: number, matched: number): void {
    this.images.push(image);
    this.scores.push(score);
    this.matched.push(matched);
    this.order = undefined;
  }

  /** Adds objects that are to be found in an image. */
  expect(image: number, count: number): void {
    this.objects.set(image, (this.objects.get(image) ?? 0) + count);
  }

  /**
   * COCO's average precision (101 recall levels) at one threshold, or the mean over several.
   *
   * @param weights how often each image counts; undefined for once
   * @param thresholds indices into `IOU_THRESHOLDS`
   * @returns NaN without objects
   */
  average(weights: ArrayLike<number> | undefined, thresholds: readonly number[]): number {
    const total = this.total(weights);
    if (total === 0) return NaN;
    const sum = thresholds.reduce(
      (all, threshold) => all + this.levels(weights, total, threshold).reduce((a, b) => a + b, 0),
      0,
    );
    return sum / (thresholds.length * RECALL_POINTS.length);
  }

  /** Precision at each of `RECALL_POINTS`, at one threshold; undefined without objects. */
  curve(threshold: number): readonly number[] | undefined {
    const total = this.total(undefined);
    return total === 0 ? undefined : this.levels(undefined, total, threshold);
  }

  private total(weights: ArrayLike<number> | undefined): number {
    let total = 0;
    for (const [image, count] of this.objects) total += count * (weights?.[image] ?? 1);
    return total;
  }

  private levels(weights: ArrayLike<number> | undefined, total: number, threshold: number): number[] {
    const { scores, images, matched } = this;
    this.order ??= Uint32Array.from({ length: this.size }, (_, i) => i).sort(
      (a, b) => scores[b]! - scores[a]! || images[a]! - images[b]! || a - b,
    );
    const bit = 1 << threshold;
    let [found, wrong] = [0, 0];
    const precisions = new Array<number>(RECALL_POINTS.length).fill(0);
    let level = 0;
    for (const at of this.order) {
      const weight = weights?.[images[at]!] ?? 1;
      if (weight === 0) continue;
      if ((matched[at]! & bit) === 0) {
        wrong += weight;
        continue;
      }
      found += weight;
      const precision = found / (found + wrong);
      // Levels up to this recall are reached here at the latest; the largest precision from here on counts.
      for (let before = level - 1; before >= 0 && precisions[before]! < precision; before--)
        precisions[before] = precision;
      while (level < RECALL_POINTS.length && RECALL_POINTS[level]! <= found / total) precisions[level++] = precision;
    }
    return precisions;
  }
}

/** Indices of the threshold 0.5, and of all. */
export const [AT_50, AT_ALL]: readonly [readonly number[], readonly number[]] = [[0], [...IOU_THRESHOLDS.keys()]];
