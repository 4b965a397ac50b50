/**
 * Box formats and conversions. The format is part of every name: `Xyxy` is the corners (x0, y0, x1, y1), `Xywh` the
 * top-left corner and size (COCO's `bbox`), `Cxcywh` the center and size (DETR's). Flat arrays hold four values per box.
 */

/** Box as (x0, y0, x1, y1) in pixels. */
export type BoxXyxy = readonly [x0: number, y0: number, x1: number, y1: number];

/** Box as (x, y, width, height) in pixels, `x` and `y` the top-left corner. */
export type BoxXywh = readonly [x: number, y: number, width: number, height: number];

/** Boxes (N, 4) as one flat array. */
export type BoxArray = Float32Array | Float64Array | readonly number[];

/** Precision of the arithmetic. `float32` rounds after every step, as PyTorch does with float32 tensors. */
export type Rounding = 'float32' | 'float64';

/** Rounds `value` to float32 if `single`, else returns it. */
export const roundIf = (single: boolean, value: number): number => (single ? Math.fround(value) : value);

/** Rounding that keeps the precision of `values`: float32 if each of them is a float32 value. */
export const roundingOf = (values: readonly number[]): Rounding =>
  values.every((value) => Math.fround(value) === value) ? 'float32' : 'float64';

/** Converts boxes (N, 4) from cxcywh to xyxy format. */
export const boxCxcywhToXyxy = (boxes: BoxArray, rounding: Rounding = 'float64'): Float64Array => {
  const single = rounding === 'float32';
  const out = new Float64Array(boxes.length);
  for (let i = 0; i < boxes.length; i += 4) {
    const [cx, cy, halfWidth, halfHeight] = [boxes[i]!, boxes[i + 1]!, 0.5 * boxes[i + 2]!, 0.5 * boxes[i + 3]!];
    out[i] = roundIf(single, cx - halfWidth);
    out[i + 1] = roundIf(single, cy - halfHeight);
    out[i + 2] = roundIf(single, cx + halfWidth);
    out[i + 3] = roundIf(single, cy + halfHeight);
  }
  return out;
};

/** Converts boxes (N, 4) from xyxy to cxcywh format. */
export const boxXyxyToCxcywh = (boxes: BoxArray, rounding: Rounding = 'float64'): Float64Array => {
  const single = rounding === 'float32';
  const out = new Float64Array(boxes.length);
  for (let i = 0; i < boxes.length; i += 4) {
    const [x0, y0, x1, y1] = [boxes[i]!, boxes[i + 1]!, boxes[i + 2]!, boxes[i + 3]!];
    out[i] = roundIf(single, x0 + x1) / 2;
    out[i + 1] = roundIf(single, y0 + y1) / 2;
    out[i + 2] = roundIf(single, x1 - x0);
    out[i + 3] = roundIf(single, y1 - y0);
  }
  return out;
};

/** Converts one box from xywh to xyxy format. */
export const boxXywhToXyxy = ([x, y, width, height]: BoxXywh): BoxXyxy => [x, y, x + width, y + height];

/** Converts one box from xyxy to xywh format. */
export const boxXyxyToXywh = ([x0, y0, x1, y1]: BoxXyxy, rounding: Rounding = 'float64'): BoxXywh => {
  const single = rounding === 'float32';
  return [x0, y0, roundIf(single, x1 - x0), roundIf(single, y1 - y0)];
};

/** Clamps a box in xyxy format to an image of a size in pixels. */
export const clampBoxXyxy = (
  [x0, y0, x1, y1]: BoxXyxy,
  { width, height }: { readonly width: number; readonly height: number },
): BoxXyxy => {
  const clamp = (value: number, max: number): number => Math.min(Math.max(value, 0), max);
  return [clamp(x0, width), clamp(y0, height), clamp(x1, width), clamp(y1, height)];
};

/** Converts boxes from xywh format to a flat (N, 4) array in xyxy format, in float32 as the official tensors are. */
export const boxesXywhToXyxy = (boxes: readonly BoxXywh[]): Float32Array => {
  const corners = new Float32Array(4 * boxes.length);
  boxes.forEach((box, i) => corners.set(boxXywhToXyxy(box), 4 * i));
  return corners;
};

/** Smallest box that contains all of `boxes`, both in xyxy format. */
export const enclosingBoxXyxy = (boxes: readonly (readonly number[])[]): BoxXyxy => [
  Math.min(...boxes.map((box) => box[0]!)),
  Math.min(...boxes.map((box) => box[1]!)),
  Math.max(...boxes.map((box) => box[2]!)),
  Math.max(...boxes.map((box) => box[3]!)),
];

/** Smallest box that contains all of `boxes`, both in xywh format. */
export const enclosingBoxXywh = (boxes: readonly BoxXywh[]): BoxXywh =>
  boxXyxyToXywh(enclosingBoxXyxy(boxes.map(boxXywhToXyxy)));

/**
 * Checks that x1 >= x0 and y1 >= y0 for every xyxy box.
 *
 * @throws {RangeError} naming the first box for which it does not hold
 */
export const assertOrdered = (boxes: BoxArray): void => {
  for (let i = 0; i < boxes.length; i += 4) {
    if (!(boxes[i + 2]! >= boxes[i]! && boxes[i + 3]! >= boxes[i + 1]!)) {
      const box = [boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]].join(', ');
      throw new RangeError(`box ${i / 4} is not x0 <= x1, y0 <= y1: [${box}]`);
    }
  }
};
