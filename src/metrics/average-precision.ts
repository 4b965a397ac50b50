/*
 * Shared by COCO's and LVIS' average precision: matching of detections with ground truth at ten thresholds at once, and
 * precision over the ranked detections. Thresholds are the same doubles as numpy's linspace.
 */

/** IoU thresholds 0.5, 0.55, …, 0.95 (the ninth is 0.8999999999999999). */
export const IOU_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, t) =>
  t === 9 ? 0.95 : t * ((0.95 - 0.5) / 9) + 0.5,
);
/** Recall levels 0, 0.01, …, 1 at which precision is read. */
export const RECALL_POINTS: readonly number[] = Array.from({ length: 101 }, (_, r) => (r === 100 ? 1 : r * 0.01));

/** Name of a range of object areas. */
export type AreaName = 'all' | 'small' | 'medium' | 'large';

/** Ranges of object area in square pixels, both ends inclusive. */
const AREA_RANGES = [
  { name: 'all', from: 0, to: 1e10 },
  { name: 'small', from: 0, to: 32 ** 2 },
  { name: 'medium', from: 32 ** 2, to: 96 ** 2 },
  { name: 'large', from: 96 ** 2, to: 1e10 },
] as const satisfies readonly { readonly name: AreaName; readonly from: number; readonly to: number }[];

/**
 * Treatment of an object whose annotation id is 0. `count` (default): like all others. `missed`: it is never found, as in
 * pycocotools and lvis, which take the id of a match for a flag.
 */
export type IdZero = 'count' | 'missed';

/** Ground truth of one image (and category): G objects. */
export interface GroundTruthSet {
  /** Areas in square pixels, (G). */
  readonly areas: ArrayLike<number>;
  /** Flags of ignored objects, (G): neither found nor missed counts. */
  readonly ignored: ArrayLike<number>;
  /** Flags of crowds, (G): any number of detections can match. */
  readonly crowd: ArrayLike<number>;
  /** Flags, (G). A detection that matches an object with flag 0 stays unmatched: see `IdZero`. */
  readonly counts: ArrayLike<number>;
}

/** Detections of one image (and category), best first: D detections. */
export interface DetectionSet {
  readonly scores: ArrayLike<number>;
  /** Areas in square pixels, (D). */
  readonly areas: ArrayLike<number>;
  /** IoU with the ground truth, (D, G). */
  readonly overlaps: Float64Array;
  /** Unmatched detections are ignored (LVIS: the category is not annotated exhaustively in this image). */
  readonly unmatchedIgnored?: boolean;
}

/** Result of `matchDetections`: bit t is for IoU threshold t. A is the number of area ranges. */
export interface DetectionFlags {
  /** Detections that match an object, (A, D). */
  readonly matched: Uint16Array;
  /** Detections that do not count, (A, D). */
  readonly ignored: Uint16Array;
}

const ALL_BITS = (1 << IOU_THRESHOLDS.length) - 1;

/**
 * Matches each detection, best first, with the free object of the highest IoU that reaches the threshold. Objects that
 * count take precedence over ignored ones. Official counterpart: `COCOeval.evaluateImg`.
 */
export const matchDetections = (groundTruth: GroundTruthSet, detections: DetectionSet): DetectionFlags => {
  const [G, D] = [groundTruth.areas.length, detections.scores.length];
  const matched = new Uint16Array(AREA_RANGES.length * D);
  const ignored = new Uint16Array(AREA_RANGES.length * D);
  const candidates = Int32Array.from({ length: D }, (_, d) => d).filter((d) => hasCandidate(detections.overlaps, d, G));
  AREA_RANGES.forEach(({ from, to }, a) => {
    if (candidates.length > 0) matchInRange(groundTruth, detections, candidates, a, { matched, ignored });
    for (let d = 0; d < D; d++) {
      const area = detections.areas[d]!;
      if (detections.unmatchedIgnored === true || area < from || area > to) {
        ignored[a * D + d]! |= ALL_BITS & ~matched[a * D + d]!;
      }
    }
  });
  return { matched, ignored };
};

/** Matches within area range `a`, at all thresholds. */
const matchInRange = (
  groundTruth: GroundTruthSet,
  { scores, overlaps }: DetectionSet,
  candidates: Int32Array,
  a: number,
  { matched, ignored }: DetectionFlags,
): void => {
  const [G, D] = [groundTruth.areas.length, scores.length];
  const groundTruthIgnored = ignoredIn(groundTruth, AREA_RANGES[a]!.from, AREA_RANGES[a]!.to);
  // Objects that count come first, otherwise in their own order; the later one wins a tie.
  const order: number[] = [];
  for (const flag of [0, 1]) for (let g = 0; g < G; g++) if (groundTruthIgnored[g] === flag) order.push(g);
  const taken = new Uint8Array(G);
  IOU_THRESHOLDS.forEach((threshold, t) => {
    taken.fill(0);
    for (const d of candidates) {
      const g = bestObject(overlaps, d * G, order, threshold, taken, groundTruth.crowd, groundTruthIgnored);
      if (g < 0) continue;
      taken[g] = 1;
      if (groundTruth.counts[g] !== 0) matched[a * D + d]! |= 1 << t;
      if (groundTruthIgnored[g] === 1) ignored[a * D + d]! |= 1 << t;
    }
  });
};

/** Number of objects to find in each area range, (A). */
export const countGroundTruth = (groundTruth: GroundTruthSet): Int32Array =>
  Int32Array.from(AREA_RANGES, ({ from, to }) =>
    ignoredIn(groundTruth, from, to).reduce((count, flag) => count + 1 - flag, 0),
  );

/** Flags of objects that do not count in a range of areas, (G). */
const ignoredIn = ({ areas, ignored }: GroundTruthSet, from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: areas.length }, (_, g) => (ignored[g] !== 0 || areas[g]! < from || areas[g]! > to ? 1 : 0));

const hasCandidate = (overlaps: Float64Array, d: number, G: number): boolean => {
  for (let g = 0; g < G; g++) if (overlaps[d * G + g]! >= IOU_THRESHOLDS[0]!) return true;
  return false;
};

const bestObject = (
  overlaps: Float64Array,
  offset: number,
  order: readonly number[],
  threshold: number,
  taken: Uint8Array,
  crowd: ArrayLike<number>,
  groundTruthIgnored: Uint8Array,
): number => {
  let best = -1;
  let highest = Math.min(threshold, 1 - 1e-10);
  for (const g of order) {
    if (taken[g] === 1 && crowd[g] === 0) continue;
    if (best >= 0 && groundTruthIgnored[best] === 0 && groundTruthIgnored[g] === 1) break;
    const overlap = overlaps[offset + g]!;
    if (overlap < highest) continue;
    highest = overlap;
    best = g;
  }
  return best;
};

/** Precision and recall over ranked detections. T thresholds, R recall levels. */
export interface PrecisionRecall {
  /** Highest precision at each recall level or beyond, (T, R). */
  readonly precision: Float64Array;
  /** Recall of all detections, (T). */
  readonly recall: Float64Array;
}

/** Detections of one category over all images, in packed arrays. Images can be added in any order. */
export class RankedDetections {
  private size = 0;
  private scores = new Float64Array(16);
  private images = new Float64Array(16);
  /** Rank within the image. */
  private ranks = new Uint32Array(16);
  /** Flags, (size, A). */
  private matched = new Uint16Array(16 * AREA_RANGES.length);
  private ignored = new Uint16Array(16 * AREA_RANGES.length);
  private readonly groundTruthCounts = new Int32Array(AREA_RANGES.length);
  private order: Uint32Array | undefined;

  /** Adds the detections of an image, best first. Between equal scores of two images, the lower `imageOrder` ranks first. */
  add(imageOrder: number, scores: ArrayLike<number>, flags: DetectionFlags): void {
    const count = scores.length;
    this.reserve(this.size + count);
    for (let d = 0; d < count; d++) {
      const at = this.size + d;
      this.scores[at] = scores[d]!;
      this.images[at] = imageOrder;
      this.ranks[at] = d;
      for (let a = 0; a < AREA_RANGES.length; a++) {
        this.matched[at * AREA_RANGES.length + a] = flags.matched[a * count + d]!;
        this.ignored[at * AREA_RANGES.length + a] = flags.ignored[a * count + d]!;
      }
    }
    this.size += count;
    this.order = undefined;
  }

  /** Adds to the number of objects to find in each area range, (A). */
  expect(groundTruthCounts: Int32Array): void {
    groundTruthCounts.forEach((count, a) => (this.groundTruthCounts[a]! += count));
  }

  /**
   * Precision and recall over the objects of one area range.
   *
   * @param maxPerImage maximum number of detections of an image
   * @returns undefined when there are no objects to find
   */
  precisionRecall(area: AreaName, maxPerImage = Infinity): PrecisionRecall | undefined {
    const a = AREA_RANGES.findIndex(({ name }) => name === area);
    const total = this.groundTruthCounts[a]!;
    if (total === 0) return undefined;
    this.order ??= this.rank();
    const precision = new Float64Array(IOU_THRESHOLDS.length * RECALL_POINTS.length);
    const recall = new Float64Array(IOU_THRESHOLDS.length);
    const recalls = new Float64Array(this.size);
    const precisions = new Float64Array(this.size);
    for (let t = 0; t < IOU_THRESHOLDS.length; t++) {
      const bit = 1 << t;
      let [truePositives, falsePositives, length] = [0, 0, 0];
      for (const at of this.order) {
        // Ignored detections change neither count, so they are left out of the curve.
        if (this.ranks[at]! >= maxPerImage || (this.ignored[at * AREA_RANGES.length + a]! & bit) !== 0) continue;
        if ((this.matched[at * AREA_RANGES.length + a]! & bit) === 0) falsePositives++;
        else truePositives++;
        recalls[length] = truePositives / total;
        precisions[length] = truePositives / (falsePositives + truePositives + Number.EPSILON);
        length++;
      }
      recall[t] = truePositives / total;
      for (let i = length - 1; i > 0; i--) if (precisions[i]! > precisions[i - 1]!) precisions[i - 1] = precisions[i]!;
      let i = 0;
      RECALL_POINTS.forEach((point, r) => {
        while (i < length && recalls[i]! < point) i++;
        precision[t * RECALL_POINTS.length + r] = i < length ? precisions[i]! : 0;
      });
    }
    return { precision, recall };
  }

  private rank(): Uint32Array {
    const { scores, images, ranks } = this;
    return Uint32Array.from({ length: this.size }, (_, at) => at).sort(
      (a, b) => scores[b]! - scores[a]! || images[a]! - images[b]! || ranks[a]! - ranks[b]!,
    );
  }

  private reserve(size: number): void {
    let capacity = this.scores.length;
    if (size <= capacity) return;
    while (capacity < size) capacity *= 2;
    const grown = <A extends Float64Array | Uint32Array | Uint16Array>(from: A, into: A): A => {
      into.set(from);
      return into;
    };
    this.scores = grown(this.scores, new Float64Array(capacity));
    this.images = grown(this.images, new Float64Array(capacity));
    this.ranks = grown(this.ranks, new Uint32Array(capacity));
    this.matched = grown(this.matched, new Uint16Array(capacity * AREA_RANGES.length));
    this.ignored = grown(this.ignored, new Uint16Array(capacity * AREA_RANGES.length));
  }
}

/**
 * Mean precision over recall levels, categories with objects, and thresholds.
 *
 * @param threshold one of `IOU_THRESHOLDS`; all of them when undefined
 * @returns -1 when no category has objects, as in the references
 */
export const meanPrecision = (curves: readonly (PrecisionRecall | undefined)[], threshold?: number): number => {
  const t = threshold === undefined ? -1 : IOU_THRESHOLDS.indexOf(threshold);
  if (threshold !== undefined && t < 0) throw new Error(`internal: no threshold ${threshold}`);
  const [from, to] = t < 0 ? [0, IOU_THRESHOLDS.length] : [t, t + 1];
  return meanOver(curves, ({ precision }) =>
    precision.subarray(from * RECALL_POINTS.length, to * RECALL_POINTS.length),
  );
};

/** Mean recall over thresholds and categories with objects, -1 when there are none. */
export const meanRecall = (curves: readonly (PrecisionRecall | undefined)[]): number =>
  meanOver(curves, ({ recall }) => recall);

const meanOver = (
  curves: readonly (PrecisionRecall | undefined)[],
  select: (curve: PrecisionRecall) => Float64Array,
): number => {
  let [sum, count] = [0, 0];
  for (const curve of curves) {
    if (curve === undefined) continue;
    for (const value of select(curve)) sum += value;
    count += select(curve).length;
  }
  return count === 0 ? -1 : sum / count;
};
