import { assertOrdered, roundIf, type BoxArray, type BoxXywh, type Rounding } from './boxes.ts';

/** Overlap measure of two boxes: IoU, or GIoU (arXiv:1902.09630), which is never larger. */
export type OverlapMeasure = 'iou' | 'giou';

/**
 * IoU or GIoU of box `i` of `a` and box `j` of `b`, both (N, 4) in xyxy format.
 *
 * GIoU is IoU minus the fraction of the smallest enclosing box that neither box covers. As in the official code there
 * is no epsilon: two boxes without area give NaN. With `float32` every step is rounded, so that a value at a threshold
 * falls on the same side as in PyTorch.
 */
export const boxOverlap = (
  measure: OverlapMeasure,
  a: BoxArray,
  i: number,
  b: BoxArray,
  j: number,
  rounding: Rounding = 'float64',
): number => {
  const single = rounding === 'float32';
  const ax0 = roundIf(single, a[4 * i]!);
  const ay0 = roundIf(single, a[4 * i + 1]!);
  const ax1 = roundIf(single, a[4 * i + 2]!);
  const ay1 = roundIf(single, a[4 * i + 3]!);
  const bx0 = roundIf(single, b[4 * j]!);
  const by0 = roundIf(single, b[4 * j + 1]!);
  const bx1 = roundIf(single, b[4 * j + 2]!);
  const by1 = roundIf(single, b[4 * j + 3]!);
  const areaA = roundIf(single, roundIf(single, ax1 - ax0) * roundIf(single, ay1 - ay0));
  const areaB = roundIf(single, roundIf(single, bx1 - bx0) * roundIf(single, by1 - by0));
  const width = Math.max(0, roundIf(single, Math.min(ax1, bx1) - Math.max(ax0, bx0)));
  const height = Math.max(0, roundIf(single, Math.min(ay1, by1) - Math.max(ay0, by0)));
  const intersection = roundIf(single, width * height);
  const union = roundIf(single, roundIf(single, areaA + areaB) - intersection);
  const iou = roundIf(single, intersection / union);
  if (measure === 'iou') return iou;
  const enclosingWidth = Math.max(0, roundIf(single, Math.max(ax1, bx1) - Math.min(ax0, bx0)));
  const enclosingHeight = Math.max(0, roundIf(single, Math.max(ay1, by1) - Math.min(ay0, by0)));
  const enclosing = roundIf(single, enclosingWidth * enclosingHeight);
  return roundIf(single, iou - roundIf(single, roundIf(single, enclosing - union) / enclosing));
};

/** IoU of box `i` of `a` and box `j` of `b`, both (N, 4) in xyxy format, without the +1 of inclusive pixel corners. */
export const iouXyxy = (a: BoxArray, i: number, b: BoxArray, j: number, rounding: Rounding = 'float64'): number =>
  boxOverlap('iou', a, i, b, j, rounding);

/** GIoU of box `i` of `a` and box `j` of `b`, both (N, 4) in xyxy format. See `boxOverlap`. */
export const giouXyxy = (a: BoxArray, i: number, b: BoxArray, j: number, rounding: Rounding = 'float64'): number =>
  boxOverlap('giou', a, i, b, j, rounding);

/** IoU from which a predicted box counts as that of an object, in the benchmarks that have one threshold. */
export const MATCH_IOU = 0.5;

/**
 * The box of `boxes` with the largest IoU with an xyxy box, among those with the given indices; index -1 and IoU 0 if none
 * overlaps it. The first one wins ties.
 */
export const bestOverlap = (
  box: BoxArray,
  boxes: readonly BoxArray[],
  indices: Iterable<number> = boxes.keys(),
): { readonly index: number; readonly iou: number } => {
  let best = { index: -1, iou: 0 };
  for (const index of indices) {
    const iou = iouXyxy(box, 0, boxes[index]!, 0);
    if (iou > best.iou) best = { index, iou };
  }
  return best;
};

/** IoU of every pair of xyxy boxes: (N, 4), (M, 4) -> (N, M). */
export const pairwiseIouXyxy = (a: BoxArray, b: BoxArray): Float64Array => pairwise('iou', a, b);

/**
 * GIoU of every pair of xyxy boxes: (N, 4), (M, 4) -> (N, M).
 *
 * @throws {RangeError} when a box has its corners swapped or is not a number
 */
export const pairwiseGiouXyxy = (a: BoxArray, b: BoxArray): Float64Array => {
  assertOrdered(a);
  assertOrdered(b);
  return pairwise('giou', a, b);
};

const pairwise = (measure: OverlapMeasure, a: BoxArray, b: BoxArray): Float64Array => {
  const [rows, columns] = [a.length / 4, b.length / 4];
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[i * columns + j] = boxOverlap(measure, a, i, b, j);
  return out;
};

/** Whether any xyxy box of `a` (N, 4) overlaps any of `b` (M, 4) by more than `threshold`, computed in float32. */
export const anyOverlap = (measure: OverlapMeasure, threshold: number, a: Float32Array, b: Float32Array): boolean => {
  for (let i = 0; 4 * i < a.length; i++)
    for (let j = 0; 4 * j < b.length; j++) if (boxOverlap(measure, a, i, b, j, 'float32') > threshold) return true;
  return false;
};

/**
 * IoU of two xywh boxes as COCO's evaluation computes it, 0 without overlap. With `crowd` the divisor is the area of
 * `a` alone, so that a detection inside of a crowd region is a full match.
 */
export const iouXywh = (a: BoxXywh, b: BoxXywh, crowd = false): number => {
  const [ax, ay, aw, ah] = a;
  const [bx, by, bw, bh] = b;
  const width = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  const height = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  const areaA = aw * ah;
  return intersection / (crowd ? areaA : areaA + bw * bh - intersection);
};

/** `iouXywh` of every detection with every ground-truth box, (D, G). `crowd` marks crowd regions, one flag per box. */
export const pairwiseIouXywh = (
  detections: readonly BoxXywh[],
  groundTruth: readonly BoxXywh[],
  crowd: ArrayLike<number>,
): Float64Array => {
  const out = new Float64Array(detections.length * groundTruth.length);
  for (let d = 0; d < detections.length; d++)
    for (let g = 0; g < groundTruth.length; g++)
      out[d * groundTruth.length + g] = iouXywh(detections[d]!, groundTruth[g]!, crowd[g] !== 0);
  return out;
};
