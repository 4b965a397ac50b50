/**
 * Box arithmetic on flat arrays, four numbers per box. The format stands in every name: `Xyxy` is x0 y0 x1 y1, `Cxcywh`
 * is centre and size, `Xywh` is corner and size. All results are double precision.
 */

/** [x, y, width, height] in pixels of the image as stored. */
export type BoxXywh = readonly [x: number, y: number, width: number, height: number];

/** Boxes one after another, four numbers each. */
export type BoxArray = Float32Array | Float64Array | readonly number[];

/** (N, 4) centre x, centre y, width, height -> (N, 4) x0, y0, x1, y1. */
export const boxCxcywhToXyxy = (boxes: BoxArray): Float64Array => {
  const out = new Float64Array(boxes.length);
  for (let i = 0; i < boxes.length; i += 4) {
    const [cx, cy, halfWidth, halfHeight] = [boxes[i]!, boxes[i + 1]!, 0.5 * boxes[i + 2]!, 0.5 * boxes[i + 3]!];
    out[i] = cx - halfWidth;
    out[i + 1] = cy - halfHeight;
    out[i + 2] = cx + halfWidth;
    out[i + 3] = cy + halfHeight;
  }
  return out;
};

/** (N, 4) x0, y0, x1, y1 -> (N, 4) centre x, centre y, width, height. */
export const boxXyxyToCxcywh = (boxes: BoxArray): Float64Array => {
  const out = new Float64Array(boxes.length);
  for (let i = 0; i < boxes.length; i += 4) {
    const [x0, y0, x1, y1] = [boxes[i]!, boxes[i + 1]!, boxes[i + 2]!, boxes[i + 3]!];
    out[i] = (x0 + x1) / 2;
    out[i + 1] = (y0 + y1) / 2;
    out[i + 2] = x1 - x0;
    out[i + 3] = y1 - y0;
  }
  return out;
};

/** IoU of box `i` of `a` with box `j` of `b`, both x0 y0 x1 y1, without the +1 of old pixel conventions. */
export const iouXyxy = (a: BoxArray, i: number, b: BoxArray, j: number): number => {
  const { intersection, union } = overlapXyxy(a, 4 * i, b, 4 * j);
  return intersection / union;
};

/**
 * Generalised IoU (arXiv:1902.09630) of box `i` of `a` with box `j` of `b`, both x0 y0 x1 y1: IoU less the share of the
 * smallest enclosing box that neither covers. There is no epsilon, as in the official code: two equal boxes without
 * area give NaN.
 */
export const giouXyxy = (a: BoxArray, i: number, b: BoxArray, j: number): number => {
  const { intersection, union } = overlapXyxy(a, 4 * i, b, 4 * j);
  const [p, q] = [4 * i, 4 * j];
  const enclosingWidth = Math.max(a[p + 2]!, b[q + 2]!) - Math.min(a[p]!, b[q]!);
  const enclosingHeight = Math.max(a[p + 3]!, b[q + 3]!) - Math.min(a[p + 1]!, b[q + 1]!);
  const enclosing = Math.max(0, enclosingWidth) * Math.max(0, enclosingHeight);
  return intersection / union - (enclosing - union) / enclosing;
};

/** (N, 4), (M, 4), both x0 y0 x1 y1 -> (N, M) IoU. */
export const pairwiseIouXyxy = (a: BoxArray, b: BoxArray): Float64Array => pairwise(a, b, iouXyxy);

/**
 * (N, 4), (M, 4), both x0 y0 x1 y1 -> (N, M) generalised IoU.
 *
 * @throws {RangeError} when a box has its corners swapped or is not a number
 */
export const pairwiseGiouXyxy = (a: BoxArray, b: BoxArray): Float64Array => {
  assertOrdered(a);
  assertOrdered(b);
  return pairwise(a, b, giouXyxy);
};

/** @throws {RangeError} naming the first box for which x1 >= x0 and y1 >= y0 does not hold */
export const assertOrdered = (boxes: BoxArray): void => {
  for (let i = 0; i < boxes.length; i += 4) {
    if (!(boxes[i + 2]! >= boxes[i]! && boxes[i + 3]! >= boxes[i + 1]!)) {
      const box = [boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]].join(', ');
      throw new RangeError(`box ${i / 4} is not x0 <= x1, y0 <= y1: [${box}]`);
    }
  }
};

const pairwise = (
  a: BoxArray,
  b: BoxArray,
  measure: (a: BoxArray, i: number, b: BoxArray, j: number) => number,
): Float64Array => {
  const [rows, columns] = [a.length / 4, b.length / 4];
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[i * columns + j] = measure(a, i, b, j);
  }
  return out;
};

const overlapXyxy = (a: BoxArray, p: number, b: BoxArray, q: number): { intersection: number; union: number } => {
  const areaA = (a[p + 2]! - a[p]!) * (a[p + 3]! - a[p + 1]!);
  const areaB = (b[q + 2]! - b[q]!) * (b[q + 3]! - b[q + 1]!);
  const width = Math.max(0, Math.min(a[p + 2]!, b[q + 2]!) - Math.max(a[p]!, b[q]!));
  const height = Math.max(0, Math.min(a[p + 3]!, b[q + 3]!) - Math.max(a[p + 1]!, b[q + 1]!));
  const intersection = width * height;
  return { intersection, union: areaA + areaB - intersection };
};
