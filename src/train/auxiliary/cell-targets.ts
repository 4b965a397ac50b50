import { concatValues } from '../../engine/graph/concat-values.ts';
import { int32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import { CELLS_PER_POSITION } from '../../models/index.ts';
import type { AuxiliaryBatch, AuxiliaryCaption, Grid, ImageObjects } from './auxiliary-batch.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';

/*
 * Targets of the auxiliary heads on feature maps. Every position of the backbone's last map is split into 2 × 2 cells, and
 * the label of a cell is the index of the object that it shows, or one of the constants below.
 */

/** Cells of a position. */
export const CELLS = CELLS_PER_POSITION;
/** Label of a cell that shows no object. */
export const NO_OBJECT = -1;
/** Label of a cell outside the image. */
export const PADDING = -2;
/** Label of a cell that shows an object which the caption does not mention. */
const UNMENTIONED = -3;
/** A cell shows an object that covers this fraction of the cell, or of which this fraction is inside the cell. */
export const MIN_FRACTION = 0.25;

/** Calls `visit` for every cell with its top left pixel, in the order in which the heads predict them. */
const forEachCell = (
  { height, width, cell }: Grid,
  visit: (index: number, top: number, left: number) => void,
): void => {
  for (let y = 0, index = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let sub = 0; sub < CELLS; sub++, index++)
        visit(index, (2 * y + (sub >> 1)) * cell, (2 * x + (sub & 1)) * cell);
};

/**
 * Labels of all cells from visible pixels: the object with the largest area in the cell among those that have an index,
 * else `UNMENTIONED` when the cell shows another one.
 *
 * @param indexOf label of every object; undefined for objects that the caption does not mention
 */
const cellsByPixels = (
  grid: Grid,
  size: { readonly height: number; readonly width: number },
  { instances }: ImageObjects,
  indexOf: readonly (number | undefined)[],
): Int32Array => {
  const cells = new Int32Array(grid.height * grid.width * CELLS).fill(PADDING);
  const areas = new Float64Array(indexOf.length);
  for (const id of instances) if (id > 0) areas[id - 1]!++;
  const counts = new Int32Array(indexOf.length);
  forEachCell(grid, (index, top, left) => {
    if (top >= size.height || left >= size.width) return;
    counts.fill(0);
    const [bottom, right] = [Math.min(top + grid.cell, size.height), Math.min(left + grid.cell, size.width)];
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++) {
        const id = instances[y * size.width + x]!;
        if (id > 0) counts[id - 1]!++;
      }
    let best = NO_OBJECT;
    let largest = 0;
    counts.forEach((pixels, object) => {
      if (pixels < MIN_FRACTION * grid.cell ** 2 && pixels < MIN_FRACTION * areas[object]!) return;
      const label = indexOf[object];
      if (label === undefined) {
        if (pixels > 0 && best === NO_OBJECT) best = UNMENTIONED;
      } else if (pixels > largest) [best, largest] = [label, pixels];
    });
    cells[index] = best;
  });
  return cells;
};

/** Labels of all cells when only boxes are known: the smallest box that contains the cell's center. */
const cellsByBoxes = (
  grid: Grid,
  size: { readonly height: number; readonly width: number },
  { boxesCxcywh: boxes }: AuxiliaryCaption,
  firstBox: number,
): Int32Array => {
  const cells = new Int32Array(grid.height * grid.width * CELLS).fill(PADDING);
  forEachCell(grid, (index, top, left) => {
    if (top >= size.height || left >= size.width) return;
    const [x, y] = [(left + grid.cell / 2) / size.width, (top + grid.cell / 2) / size.height];
    let best = NO_OBJECT;
    let smallest = Infinity;
    for (let n = 0; 4 * n < boxes.length; n++) {
      const [cx, cy, w, h] = boxes.subarray(4 * n, 4 * n + 4) as unknown as [number, number, number, number];
      if (Math.abs(x - cx) > w / 2 || Math.abs(y - cy) > h / 2 || w * h >= smallest) continue;
      [best, smallest] = [firstBox + n, w * h];
    }
    cells[index] = best;
  });
  return cells;
};

/** `auxiliary_centers` (I, h, w, 4, 2): center of every cell, relative to its image. */
export const centerInputs = ({ images, grid }: AuxiliaryBatch): Record<string, HostTensor> => ({
  auxiliary_centers: {
    dtype: 'float32',
    shape: [images.length, grid.height, grid.width, CELLS, 2],
    data: concatValues(
      Float32Array,
      images.map(({ image }) => centersOf(grid, image)),
    ),
  },
});

const centersOf = (
  grid: Grid,
  { height, width }: { readonly height: number; readonly width: number },
): Float32Array => {
  const values = new Float32Array(grid.height * grid.width * CELLS * 2);
  forEachCell(grid, (index, top, left) => {
    values[2 * index] = (left + grid.cell / 2) / width;
    values[2 * index + 1] = (top + grid.cell / 2) / height;
  });
  return values;
};

/** `auxiliary_mentioned` (B, h, w, 4): labels of all cells, indices into the boxes of the batch. */
export const mentionedInputs = ({ images, grid }: AuxiliaryBatch): Record<string, HostTensor> => {
  let firstBox = 0;
  const cells = images.flatMap(({ image, captions, objects }) =>
    captions.map((caption, index) => {
      const own =
        objects === undefined
          ? cellsByBoxes(grid, image, caption, firstBox)
          : cellsByPixels(grid, image, objects, boxIndices(objects, index, firstBox));
      firstBox += caption.boxesCxcywh.length / 4;
      return own;
    }),
  );
  return { auxiliary_mentioned: concatInt32([cells.length, grid.height, grid.width, CELLS], cells) };
};

/** Index of every object's box in the batch; undefined for objects that the caption does not mention. */
const boxIndices = (
  { attributes, objectOfBox }: ImageObjects,
  caption: number,
  firstBox: number,
): (number | undefined)[] => {
  const indices: (number | undefined)[] = Array.from(
    { length: attributes.length / OBJECT_ATTRIBUTES.length },
    () => undefined,
  );
  objectOfBox[caption]!.forEach((object, box) => (indices[object] = firstBox + box));
  return indices;
};

/**
 * `auxiliary_cells` (I, h, w, 4): labels of all cells, indices into `auxiliary_object_boxes` (M, 4) in xyxy format and
 * `auxiliary_attributes` (M, attributes).
 */
export const objectInputs = ({ images, grid }: AuxiliaryBatch): Record<string, HostTensor> => {
  let firstObject = 0;
  const cells = images.map(({ image, objects, id }) => {
    if (objects === undefined)
      throw new Error(`internal: ${id}: the auxiliary loss of the backbone needs to know every object`);
    const count = objects.boxesXyxy.length / 4;
    const indices = Array.from({ length: count }, (_, object) => firstObject + object);
    firstObject += count;
    return cellsByPixels(grid, image, objects, indices);
  });
  const attributes = images.map(({ objects }) => objects!.attributes);
  return {
    auxiliary_cells: concatInt32([images.length, grid.height, grid.width, CELLS], cells),
    auxiliary_attributes: concatInt32([firstObject, OBJECT_ATTRIBUTES.length], attributes),
    auxiliary_object_boxes: {
      dtype: 'float32',
      shape: [firstObject, 4],
      data: concatValues(
        Float32Array,
        images.map(({ objects }) => objects!.boxesXyxy),
      ),
    },
  };
};

/** Concatenates parts into an int32 tensor. */
export const concatInt32 = (shape: readonly number[], parts: readonly Int32Array[]): HostTensor =>
  int32Tensor(shape, concatValues(Int32Array, parts));
