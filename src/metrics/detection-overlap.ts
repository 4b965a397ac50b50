import { maskArea, maskBoundsXywh, type RunLengthMask } from '../geometry/run-lengths.ts';
import { MdetrError } from '../errors.ts';

/** x, y, width, height in pixels. */
export type XywhBox = readonly [x: number, y: number, width: number, height: number];

/**
 * (D, G) IoU of boxes as COCO's mask code computes it. Against a crowd it is the share of the detection that lies
 * inside.
 */
export const boxOverlaps = (
  detections: readonly XywhBox[],
  truth: readonly XywhBox[],
  crowd: ArrayLike<number>,
): Float64Array => {
  const out = new Float64Array(detections.length * truth.length);
  detections.forEach(([dx, dy, dw, dh], d) => {
    const detectionArea = dw * dh;
    truth.forEach(([gx, gy, gw, gh], g) => {
      const width = Math.min(dx + dw, gx + gw) - Math.max(dx, gx);
      const height = Math.min(dy + dh, gy + gh) - Math.max(dy, gy);
      if (width <= 0 || height <= 0) return;
      const intersection = width * height;
      const union = crowd[g] !== 0 ? detectionArea : detectionArea + gw * gh - intersection;
      out[d * truth.length + g] = intersection / union;
    });
  });
  return out;
};

/**
 * (D, G) IoU of masks as COCO's mask code computes it; masks whose bounds do not meet are not walked. Equal to
 * `maskIou` of every pair, but areas are counted once.
 *
 * @throws {MdetrError} when a detection's mask has not the size of the truth's
 */
export const maskOverlaps = (
  detections: readonly RunLengthMask[],
  truth: readonly RunLengthMask[],
  crowd: ArrayLike<number>,
): Float64Array => {
  const out = boxOverlaps(detections.map(maskBoundsXywh), truth.map(maskBoundsXywh), crowd);
  const [detectionAreas, truthAreas] = [detections.map(maskArea), truth.map(maskArea)];
  out.forEach((boundsOverlap, at) => {
    if (boundsOverlap === 0) return;
    const g = at % truth.length;
    const d = (at - g) / truth.length;
    const shared = sharedPixels(detections[d]!, truth[g]!);
    const union = crowd[g] !== 0 ? detectionAreas[d]! : detectionAreas[d]! + truthAreas[g]! - shared;
    out[at] = shared === 0 ? 0 : shared / union;
  });
  return out;
};

/** Number of pixels in both masks, by walking the runs of both at once. */
const sharedPixels = (a: RunLengthMask, b: RunLengthMask): number => {
  if (a.height !== b.height || a.width !== b.width) {
    throw new MdetrError(
      `A mask of ${a.height}x${a.width} cannot be compared with one of ${b.height}x${b.width} (height x width).`,
    );
  }
  const [countsA, countsB] = [a.counts, b.counts];
  let [runA, runB, shared] = [1, 1, 0]; // odd runs are ones
  let startA = countsA[0]!;
  let startB = countsB[0]!;
  while (runA < countsA.length && runB < countsB.length) {
    const endA = startA + countsA[runA]!;
    const endB = startB + countsB[runB]!;
    const common = Math.min(endA, endB) - Math.max(startA, startB);
    if (common > 0) shared += common;
    if (endA < endB) {
      startA = endA + (countsA[runA + 1] ?? 0);
      runA += 2;
    } else {
      startB = endB + (countsB[runB + 1] ?? 0);
      runB += 2;
    }
  }
  return shared;
};

/**
 * x0 y0 x1 y1 -> x, y, width, height. The official evaluation subtracts in single precision, so corners that are
 * single precision numbers, as a model's are, give a single precision size.
 */
export const boxXyxyToXywh = ([x0, y0, x1, y1]: readonly [number, number, number, number]): XywhBox => {
  const single = [x0, y0, x1, y1].every((value) => Math.fround(value) === value);
  return single ? [x0, y0, Math.fround(x1 - x0), Math.fround(y1 - y0)] : [x0, y0, x1 - x0, y1 - y0];
};
