import { maskBoundsXywh, maskIou, type RunLengthMask } from '../data/rle.ts';

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

/** (D, G) IoU of masks; masks whose bounds do not meet are not walked. */
export const maskOverlaps = (
  detections: readonly RunLengthMask[],
  truth: readonly RunLengthMask[],
  crowd: ArrayLike<number>,
): Float64Array => {
  const detectionBounds = detections.map(maskBoundsXywh);
  const truthBounds = truth.map(maskBoundsXywh);
  const out = boxOverlaps(detectionBounds, truthBounds, crowd);
  out.forEach((boundsOverlap, at) => {
    if (boundsOverlap === 0) return;
    const g = at % truth.length;
    out[at] = maskIou(detections[(at - g) / truth.length]!, truth[g]!, crowd[g] !== 0);
  });
  return out;
};

/**
 * x0 y0 x1 y1 -> x, y, width, height. The official evaluation subtracts in single precision, so corners that are
 * single precision numbers, as a model's are, give a single precision size.
 */
export const boxXyxyToXywh = ([x0, y0, x1, y1]: readonly [number, number, number, number]): XywhBox => {
  const single = [x0, y0, x1, y1].every((value) => Math.fround(value) === value);
  return single ? [x0, y0, Math.fround(x1 - x0), Math.fround(y1 - y0)] : [x0, y0, x1 - x0, y1 - y0];
};
