import { iouXyxy } from './box-overlap.ts';
import { boxesXywhToXyxy, type BoxXywh } from './boxes.ts';

/**
 * Clusters of xywh boxes that are linked, directly or through others, by IoU >= `threshold` in float32. Every cluster is
 * a list of ascending indices; clusters are ordered by their first index.
 */
export const boxClusters = (boxes: readonly BoxXywh[], threshold: number): number[][] => {
  const corners = boxesXywhToXyxy(boxes);
  return linkedClusters(boxes.length, (i, j) => iouXyxy(corners, i, corners, j, 'float32') >= threshold);
};

/** Connected components of the indices below `count` under the relation `linked`, ordered as in `boxClusters`. */
export const linkedClusters = (count: number, linked: (i: number, j: number) => boolean): number[][] => {
  const parent = Array.from({ length: count }, (_, i) => i);
  const rootOf = (i: number): number => {
    while (parent[i] !== i) i = parent[i]!;
    return i;
  };
  for (let i = 0; i < count; i++)
    for (let j = i + 1; j < count; j++)
      if (linked(i, j)) {
        // The lower index becomes the root, so that a cluster is listed at its first index.
        const [first, second] = [rootOf(i), rootOf(j)].sort((a, b) => a - b) as [number, number];
        parent[second] = first;
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

/** Mean of xywh boxes, taken corner by corner in float32. */
export const meanBox = (boxes: readonly BoxXywh[]): BoxXywh => {
  const corners = boxesXywhToXyxy(boxes);
  const mean = [0, 1, 2, 3].map((k) => {
    let sum = 0;
    for (let i = k; i < corners.length; i += 4) sum = Math.fround(sum + corners[i]!);
    return Math.fround(sum / boxes.length);
  });
  const [x0, y0, x1, y1] = mean as [number, number, number, number];
  return [x0, y0, Math.fround(x1 - x0), Math.fround(y1 - y0)];
};

/** Replaces every cluster of boxes with IoU >= `threshold` (0.7 in the official code) by its mean; keeps the others. */
export const mergeNearDuplicateBoxes = (boxes: readonly BoxXywh[], threshold: number): BoxXywh[] =>
  boxClusters(boxes, threshold).map((cluster) =>
    cluster.length === 1 ? boxes[cluster[0]!]! : meanBox(cluster.map((i) => boxes[i]!)),
  );
