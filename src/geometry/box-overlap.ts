import type { BoxXywh } from './boxes.ts';

/**
 * How two boxes are compared: by intersection over union, as the official script computes, or by its generalisation
 * (arXiv:1902.09630), as the paper says. They differ only below IoU, so GIoU never finds more overlaps.
 */
export type OverlapMeasure = 'iou' | 'giou';

/** Corners [x0, y0, x1, y1] of boxes one behind the other, in float32 as the official tensors are. */
export const cornersOf = (boxes: readonly BoxXywh[]): Float32Array => {
  const corners = new Float32Array(4 * boxes.length);
  boxes.forEach(([x, y, width, height], i) => corners.set([x, y, x + width, y + height], 4 * i));
  return corners;
};

/**
 * IoU or GIoU of box `i` of `a` and box `j` of `b`, every step rounded to float32 so that a value at the threshold falls
 * to the same side as in torchvision. NaN for two boxes without area.
 */
export const overlap = (measure: OverlapMeasure, a: Float32Array, i: number, b: Float32Array, j: number): number => {
  const f = Math.fround;
  const ax0 = a[4 * i]!;
  const ay0 = a[4 * i + 1]!;
  const ax1 = a[4 * i + 2]!;
  const ay1 = a[4 * i + 3]!;
  const bx0 = b[4 * j]!;
  const by0 = b[4 * j + 1]!;
  const bx1 = b[4 * j + 2]!;
  const by1 = b[4 * j + 3]!;
  const width = Math.max(0, f(Math.min(ax1, bx1) - Math.max(ax0, bx0)));
  const height = Math.max(0, f(Math.min(ay1, by1) - Math.max(ay0, by0)));
  const intersection = f(width * height);
  const areas = f(f(f(ax1 - ax0) * f(ay1 - ay0)) + f(f(bx1 - bx0) * f(by1 - by0)));
  const union = f(areas - intersection);
  const iou = f(intersection / union);
  if (measure === 'iou') return iou;
  const enclosing = f(f(Math.max(ax1, bx1) - Math.min(ax0, bx0)) * f(Math.max(ay1, by1) - Math.min(ay0, by0)));
  return f(iou - f(f(enclosing - union) / enclosing));
};

/** Whether any box of `a` overlaps any of `b` by more than `threshold`. */
export const anyOverlap = (measure: OverlapMeasure, threshold: number, a: Float32Array, b: Float32Array): boolean => {
  for (let i = 0; 4 * i < a.length; i++)
    for (let j = 0; 4 * j < b.length; j++) if (overlap(measure, a, i, b, j) > threshold) return true;
  return false;
};

/** Clusters of boxes linked by IoU >= `threshold`, each a list of rising numbers, in the order of their first members. */
export const boxClusters = (boxes: readonly BoxXywh[], threshold: number): number[][] => {
  const corners = cornersOf(boxes);
  return linkedClusters(boxes.length, (i, j) => overlap('iou', corners, i, corners, j) >= threshold);
};

/** Numbers below `count` that `linked` ties together, directly or over others: lists as those of `boxClusters`. */
export const linkedClusters = (count: number, linked: (i: number, j: number) => boolean): number[][] => {
  const clusterOf = Array.from({ length: count }, (_, i) => i);
  const rootOf = (i: number): number => {
    while (clusterOf[i] !== i) i = clusterOf[i]!;
    return i;
  };
  for (let i = 0; i < count; i++)
    for (let j = i + 1; j < count; j++)
      if (linked(i, j)) {
        // The lower number becomes the root, so that a cluster stands where its first member stood.
        const [first, second] = [rootOf(i), rootOf(j)].sort((a, b) => a - b) as [number, number];
        clusterOf[second] = first;
      }
  const clusters = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const root = rootOf(i);
    const cluster = clusters.get(root);
    if (cluster === undefined) clusters.set(root, [i]);
    else cluster.push(i);
  }
  return [...clusters.values()];
};

/** The mean of boxes, corner by corner, in float32. */
export const meanBox = (boxes: readonly BoxXywh[]): BoxXywh => {
  const corners = cornersOf(boxes);
  const mean = [0, 1, 2, 3].map((k) => {
    let sum = 0;
    for (let i = k; i < corners.length; i += 4) sum = Math.fround(sum + corners[i]!);
    return Math.fround(sum / boxes.length);
  });
  const [x0, y0, x1, y1] = mean as [number, number, number, number];
  return [x0, y0, Math.fround(x1 - x0), Math.fround(y1 - y0)];
};

/** Boxes that are nearly the same (`threshold` 0.7 officially) become their mean; all others stay as they are. */
export const mergeNearDuplicateBoxes = (boxes: readonly BoxXywh[], threshold: number): BoxXywh[] =>
  boxClusters(boxes, threshold).map((cluster) =>
    cluster.length === 1 ? boxes[cluster[0]!]! : meanBox(cluster.map((i) => boxes[i]!)),
  );
