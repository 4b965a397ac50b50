import { MdetrError } from '../errors.ts';
import { pairwiseIouXywh } from './box-overlap.ts';
import { maskArea, maskBoundsXywh, type RunLengthMask } from './run-lengths.ts';

/**
 * IoU of two masks, 0 when they do not overlap. With `crowd` the divisor is the area of `mask` alone, as in COCO's
 * evaluation: a detection inside of a crowd region is a full match.
 *
 * @throws {MdetrError} when the masks have different sizes
 */
export const maskIou = (mask: RunLengthMask, groundTruth: RunLengthMask, crowd = false): number => {
  const intersection = maskIntersectionArea(mask, groundTruth);
  if (intersection === 0) return 0;
  const area = maskArea(mask);
  return intersection / (crowd ? area : area + maskArea(groundTruth) - intersection);
};

/**
 * `maskIou` of every detection with every ground-truth mask, (D, G). Areas are counted once, and masks whose bounding
 * boxes do not overlap are not compared. `crowd` has one flag per ground-truth mask.
 *
 * @throws {MdetrError} when a detection's mask and a ground-truth mask have different sizes
 */
export const pairwiseMaskIou = (
  detections: readonly RunLengthMask[],
  groundTruth: readonly RunLengthMask[],
  crowd: ArrayLike<number>,
): Float64Array => {
  const out = pairwiseIouXywh(detections.map(maskBoundsXywh), groundTruth.map(maskBoundsXywh), crowd);
  const [detectionAreas, groundTruthAreas] = [detections.map(maskArea), groundTruth.map(maskArea)];
  out.forEach((boundsOverlap, index) => {
    if (boundsOverlap === 0) return;
    const g = index % groundTruth.length;
    const d = (index - g) / groundTruth.length;
    const intersection = maskIntersectionArea(detections[d]!, groundTruth[g]!);
    const union = crowd[g] !== 0 ? detectionAreas[d]! : detectionAreas[d]! + groundTruthAreas[g]! - intersection;
    out[index] = intersection === 0 ? 0 : intersection / union;
  });
  return out;
};

/**
 * Number of pixels in both masks, counted run by run.
 *
 * @throws {MdetrError} when the masks have different sizes
 */
const maskIntersectionArea = (a: RunLengthMask, b: RunLengthMask): number => {
  if (a.height !== b.height || a.width !== b.width) {
    throw new MdetrError(
      `A mask of ${a.height}x${a.width} cannot be compared with one of ${b.height}x${b.width} (height x width).`,
    );
  }
  const [countsA, countsB] = [a.counts, b.counts];
  let [runA, runB, intersection] = [1, 1, 0]; // odd runs are ones
  let startA = countsA[0]!;
  let startB = countsB[0]!;
  while (runA < countsA.length && runB < countsB.length) {
    const endA = startA + countsA[runA]!;
    const endB = startB + countsB[runB]!;
    const common = Math.min(endA, endB) - Math.max(startA, startB);
    if (common > 0) intersection += common;
    if (endA < endB) {
      startA = endA + (countsA[runA + 1] ?? 0);
      runA += 2;
    } else {
      startB = endB + (countsB[runB + 1] ?? 0);
      runB += 2;
    }
  }
  return intersection;
};

/** Pixels in both and in either of two dense masks of 0 and 1, which have the same size. */
export const denseMaskOverlap = (a: Uint8Array, b: Uint8Array): { intersection: number; union: number } => {
  let intersection = 0;
  let union = 0;
  for (let i = 0; i < a.length; i++) {
    intersection += a[i]! & b[i]!;
    union += a[i]! | b[i]!;
  }
  return { intersection, union };
};
