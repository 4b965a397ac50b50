/**
 * The part that COCO's and LVIS' average precision share: giving detections to ground truth at ten thresholds at once,
 * and reading precision off the ranked list. Thresholds are the very doubles that numpy's linspace makes.
 */

/** 0.5, 0.55, …, 0.95 (the ninth is 0.8999999999999999). */
export const iouThresholds: readonly number[] = Array.from({ length: 10 }, (_, t) =>
  t === 9 ? 0.95 : t * ((0.95 - 0.5) / 9) + 0.5,
);
/** 0, 0.01, …, 1. */
export const recallPoints: readonly number[] = Array.from({ length: 101 }, (_, r) => (r === 100 ? 1 : r * 0.01));

/** Classes of size, by area in square pixels, both ends inclusive. */
export const areaRanges = [
  { name: 'all', from: 0, to: 1e10 },
  { name: 'small', from: 0, to: 32 ** 2 },
  { name: 'medium', from: 32 ** 2, to: 96 ** 2 },
  { name: 'large', from: 96 ** 2, to: 1e10 },
] as const;
export type AreaName = (typeof areaRanges)[number]['name'];

/** Ground truth of one image (and category). G objects. */
export interface GroundTruthSet {
  /** (G) square pixels */
  readonly areas: ArrayLike<number>;
  /** (G) 1: neither found nor missed counts */
  readonly ignored: ArrayLike<number>;
  /** (G) 1: any number of detections may be part of it */
  readonly crowd: ArrayLike<number>;
  /** (G) 0: whoever is given this object still counts as unmatched, which is what the references do with id 0 */
  readonly counts: ArrayLike<number>;
}

/** Detections of one image (and category), best first. D detections. */
export interface DetectionSet {
  readonly scores: ArrayLike<number>;
  /** (D) square pixels */
  readonly areas: ArrayLike<number>;
  /** (D, G) overlap with the ground truth */
  readonly overlaps: Float64Array;
  /** Unmatched detections do not count as wrong (LVIS: the category was not annotated exhaustively here). */
  readonly unmatchedIgnored?: boolean;
}

/** Result of `matchDetections`: per area range a bit per threshold. */
export interface DetectionFlags {
  /** (areas, D) bit t: right at threshold t */
  readonly matched: Uint16Array;
  /** (areas, D) bit t: does not count at threshold t */
  readonly ignored: Uint16Array;
}

const allBits = (1 << iouThresholds.length) - 1;

/**
 * Gives every detection, best first, the free object that it overlaps most, at least by the threshold; objects that
 * count are preferred to ignored ones.
 */
export const matchDetections = (groundTruth: GroundTruthSet, detections: DetectionSet): DetectionFlags => {
  const [G, D] = [groundTruth.areas.length, detections.scores.length];
  const matched = new Uint16Array(areaRanges.length * D);
  const ignored = new Uint16Array(areaRanges.length * D);
  const candidates = Int32Array.from({ length: D }, (_, d) => d).filter((d) => hasCandidate(detections.overlaps, d, G));
  areaRanges.forEach(({ from, to }, a) => {
    if (candidates.length > 0) matchInRange(groundTruth, detections, candidates, a, { matched, ignored });
    for (let d = 0; d < D; d++) {
      const area = detections.areas[d]!;
      if (detections.unmatchedIgnored === true || area < from || area > to) {
        ignored[a * D + d]! |= allBits & ~matched[a * D + d]!;
      }
    }
  });
  return { matched, ignored };
};

/** Matches within one range of areas, at all thresholds. */
const matchInRange = (
  groundTruth: GroundTruthSet,
  { scores, overlaps }: DetectionSet,
  candidates: Int32Array,
  a: number,
  { matched, ignored }: DetectionFlags,
): void => {
  const [G, D] = [groundTruth.areas.length, scores.length];
  const groundTruthIgnored = ignoredIn(groundTruth, areaRanges[a]!.from, areaRanges[a]!.to);
  // Objects that count stand first, otherwise in their own order: ties go to the later one.
  const order: number[] = [];
  for (const flag of [0, 1]) for (let g = 0; g < G; g++) if (groundTruthIgnored[g] === flag) order.push(g);
  const taken = new Uint8Array(G);
  iouThresholds.forEach((threshold, t) => {
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

/** (areas) number of objects that must be found. */
export const countGroundTruth = (groundTruth: GroundTruthSet): Int32Array =>
  Int32Array.from(areaRanges, ({ from, to }) =>
    ignoredIn(groundTruth, from, to).reduce((count, flag) => count + 1 - flag, 0),
  );

/** (G) 1 for objects that do not count in this range of areas. */
const ignoredIn = ({ areas, ignored }: GroundTruthSet, from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: areas.length }, (_, g) => (ignored[g] !== 0 || areas[g]! < from || areas[g]! > to ? 1 : 0));

const hasCandidate = (overlaps: Float64Array, d: number, G: number): boolean => {
  for (let g = 0; g < G; g++) if (overlaps[d * G + g]! >= iouThresholds[0]!) return true;
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

/** Precision and recall over a ranked list. */
export interface PrecisionRecall {
  /** (thresholds, recall points) highest precision at that recall or beyond */
  readonly precision: Float64Array;
  /** (thresholds) recall of the whole list */
  readonly recall: Float64Array;
}

/** All detections of one category over all images, packed. Images come in any order. */
export class RankedDetections {
  private size = 0;
  private scores = new Float64Array(16);
  private images = new Float64Array(16);
  /** Place within its image. */
  private places = new Uint32Array(16);
  /** (size, areas) */
  private matched = new Uint16Array(16 * areaRanges.length);
  private ignored = new Uint16Array(16 * areaRanges.length);
  private readonly groundTruthCounts = new Int32Array(areaRanges.length);
  private order: Uint32Array | undefined;

  /** Adds one image's detections, best first. `imageOrder` settles ties of score between images: the lower goes first. */
  add(imageOrder: number, scores: ArrayLike<number>, flags: DetectionFlags): void {
    const count = scores.length;
    this.reserve(this.size + count);
    for (let d = 0; d < count; d++) {
      const at = this.size + d;
      this.scores[at] = scores[d]!;
      this.images[at] = imageOrder;
      this.places[at] = d;
      for (let a = 0; a < areaRanges.length; a++) {
        this.matched[at * areaRanges.length + a] = flags.matched[a * count + d]!;
        this.ignored[at * areaRanges.length + a] = flags.ignored[a * count + d]!;
      }
    }
    this.size += count;
    this.order = undefined;
  }

  /** Adds to the objects that must be found, one number per area range. */
  expect(groundTruthCounts: Int32Array): void {
    groundTruthCounts.forEach((count, a) => (this.groundTruthCounts[a]! += count));
  }

  /** Over objects of one area range, looking at no more than `maxPerImage` detections of an image. Nothing to find: undefined. */
  precisionRecall(area: AreaName, maxPerImage = Infinity): PrecisionRecall | undefined {
    const a = areaRanges.findIndex(({ name }) => name === area);
    const total = this.groundTruthCounts[a]!;
    if (total === 0) return undefined;
    this.order ??= this.rank();
    const precision = new Float64Array(iouThresholds.length * recallPoints.length);
    const recall = new Float64Array(iouThresholds.length);
    const recalls = new Float64Array(this.size);
    const precisions = new Float64Array(this.size);
    for (let t = 0; t < iouThresholds.length; t++) {
      const bit = 1 << t;
      let [right, wrong, length] = [0, 0, 0];
      for (const at of this.order) {
        // What is ignored changes neither count, so the curve is the same without it.
        if (this.places[at]! >= maxPerImage || (this.ignored[at * areaRanges.length + a]! & bit) !== 0) continue;
        if ((this.matched[at * areaRanges.length + a]! & bit) === 0) wrong++;
        else right++;
        recalls[length] = right / total;
        precisions[length] = right / (wrong + right + Number.EPSILON);
        length++;
      }
      recall[t] = right / total;
      for (let i = length - 1; i > 0; i--) if (precisions[i]! > precisions[i - 1]!) precisions[i - 1] = precisions[i]!;
      let i = 0;
      recallPoints.forEach((point, r) => {
        while (i < length && recalls[i]! < point) i++;
        precision[t * recallPoints.length + r] = i < length ? precisions[i]! : 0;
      });
    }
    return { precision, recall };
  }

  private rank(): Uint32Array {
    const { scores, images, places } = this;
    return Uint32Array.from({ length: this.size }, (_, at) => at).sort(
      (a, b) => scores[b]! - scores[a]! || images[a]! - images[b]! || places[a]! - places[b]!,
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
    this.places = grown(this.places, new Uint32Array(capacity));
    this.matched = grown(this.matched, new Uint16Array(capacity * areaRanges.length));
    this.ignored = grown(this.ignored, new Uint16Array(capacity * areaRanges.length));
  }
}

/** Mean over the categories that have something to find, -1 when none has, as the references report it. */
export const meanPrecision = (curves: readonly (PrecisionRecall | undefined)[], threshold?: number): number => {
  const t = threshold === undefined ? -1 : iouThresholds.indexOf(threshold);
  if (threshold !== undefined && t < 0) throw new Error(`internal: no threshold ${threshold}`);
  const [from, to] = t < 0 ? [0, iouThresholds.length] : [t, t + 1];
  return meanOver(curves, ({ precision }) => precision.subarray(from * recallPoints.length, to * recallPoints.length));
};

/** Mean recall over thresholds and the categories that have something to find, -1 when none has. */
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
