import type { HostTensor } from '../../engine/graph/index.ts';
import type { Encoding } from '../../text/index.ts';
import { answerStepSlots, noStep } from './answer-steps.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import { noPlace, wordClassesOf } from './word-classes.ts';

/*
 * Targets of the training-only helper heads (helper-heads.ts). Each position of the backbone's last map is cut into 2 × 2
 * sub-cells, and each sub-cell is told which object it shows: a row number, −1 for none, −2 outside of the picture, −3 for
 * an object that the text does not mention.
 */

/** What the auxiliary losses read of a caption. n boxes. */
export interface AuxiliaryCaption {
  /** (n, 4) boxes in cxcywh format, relative to the image. */
  readonly boxesCxcywh: Float32Array;
  /** What a question compares or counts (answer-steps.ts); for the auxiliary loss of answers. */
  readonly answerSteps?: readonly number[];
  /** Indices of the objects that a question is about, without landmarks; for the auxiliary loss of answers. */
  readonly answerObjects?: readonly number[];
}

/** Every object of an image, mentioned by a caption or not. M objects. */
export interface ImageObjects {
  /** (height, width) at the image's size: i + 1 where object i is visible, 0 elsewhere. */
  readonly instances: Uint8Array;
  /** (M, 4) boxes in xyxy format, relative to the image. */
  readonly boxesXyxy: Float32Array;
  /** (M, attributes) class ids of `OBJECT_ATTRIBUTES`. */
  readonly attributes: Int32Array;
  /** For each caption the object of each of its boxes. */
  readonly objectOfBox: readonly (readonly number[])[];
}

/** What the auxiliary losses read of an image. */
export interface AuxiliaryImage {
  /** Name of the image in error messages. */
  readonly id: string;
  readonly image: { readonly height: number; readonly width: number };
  readonly captions: readonly AuxiliaryCaption[];
  readonly objects?: ImageObjects;
}

export const subCells = 4;
const nothing = -1;
const outside = -2;
const unmentioned = -3;
/** An object is the cell's when it fills this share of the cell, or when this share of the object lies in it. */
const enough = 0.25;

/** Rows and columns of a map after a number of halvings, each rounded up. */
export const mapSize = (pixels: number, halvings: number): number => {
  let size = pixels;
  for (let k = 0; k < halvings; k++) size = Math.ceil(size / 2);
  return size;
};

interface Grid {
  readonly height: number;
  readonly width: number;
  /** Side of a sub-cell in pixels. */
  readonly cell: number;
}

/** Calls back for every sub-cell, in the order in which the heads predict them, with its top left pixel. */
const forEachCell = (
  { height, width, cell }: Grid,
  visit: (position: number, top: number, left: number) => void,
): void => {
  for (let y = 0, position = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let sub = 0; sub < subCells; sub++, position++)
        visit(position, (2 * y + (sub >> 1)) * cell, (2 * x + (sub & 1)) * cell);
};

/**
 * The object of every sub-cell by visible pixels: of those in `rowOf`, the one that most of the cell shows; another one
 * where it shows none of them.
 */
const cellsByPixels = (
  grid: Grid,
  size: { readonly height: number; readonly width: number },
  { instances }: ImageObjects,
  rowOf: readonly (number | undefined)[],
): Int32Array => {
  const cells = new Int32Array(grid.height * grid.width * subCells).fill(outside);
  const areas = new Float64Array(rowOf.length);
  for (const id of instances) if (id > 0) areas[id - 1]!++;
  const counts = new Int32Array(rowOf.length);
  forEachCell(grid, (position, top, left) => {
    if (top >= size.height || left >= size.width) return;
    counts.fill(0);
    const [bottom, right] = [Math.min(top + grid.cell, size.height), Math.min(left + grid.cell, size.width)];
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++) {
        const id = instances[y * size.width + x]!;
        if (id > 0) counts[id - 1]!++;
      }
    let best = nothing;
    let most = 0;
    counts.forEach((pixels, object) => {
      if (pixels < enough * grid.cell ** 2 && pixels < enough * areas[object]!) return;
      const row = rowOf[object];
      if (row === undefined) {
        if (pixels > 0 && best === nothing) best = unmentioned;
      } else if (pixels > most) [best, most] = [row, pixels];
    });
    cells[position] = best;
  });
  return cells;
};

/** The box of every sub-cell where only boxes are known: the smallest that holds the cell's centre. */
const cellsByBoxes = (
  grid: Grid,
  size: { readonly height: number; readonly width: number },
  { boxesCxcywh: boxes }: AuxiliaryCaption,
  firstRow: number,
): Int32Array => {
  const cells = new Int32Array(grid.height * grid.width * subCells).fill(outside);
  forEachCell(grid, (position, top, left) => {
    if (top >= size.height || left >= size.width) return;
    const [x, y] = [(left + grid.cell / 2) / size.width, (top + grid.cell / 2) / size.height];
    let best = nothing;
    let smallest = Infinity;
    for (let n = 0; 4 * n < boxes.length; n++) {
      const [cx, cy, w, h] = boxes.subarray(4 * n, 4 * n + 4) as unknown as [number, number, number, number];
      if (Math.abs(x - cx) > w / 2 || Math.abs(y - cy) > h / 2 || w * h >= smallest) continue;
      [best, smallest] = [firstRow + n, w * h];
    }
    cells[position] = best;
  });
  return cells;
};

/** Which helper heads there are, and how far the backbone shrinks a picture. */
export interface AuxiliaryGeometry {
  readonly encoder: boolean;
  readonly backbone: boolean;
  readonly answers: boolean;
  readonly words: boolean;
  readonly halvings: number;
}

/**
 * Inputs of the helper losses for a batch: `auxiliary_centers` (I, h, w, 4, 2), the middle of every sub-cell relative to its
 * picture; `auxiliary_mentioned` (B, h, w, 4), rows of the batch's boxes; `auxiliary_cells` (I, h, w, 4), rows of
 * `auxiliary_object_boxes` (M, 4) and `auxiliary_attributes` (M, 4); `auxiliary_steps` (B, 2), see answer-steps.ts;
 * `auxiliary_answer_positions` (B, h·w), 1 where a position shows an object that the question is about;
 * `auxiliary_positions` (I, 4, h·w), the attributes of the object that each position shows, and `auxiliary_words` (B, 4, T), those
 * that each token names.
 */
export const auxiliaryInputs = (
  images: readonly AuxiliaryImage[],
  padded: { readonly height: number; readonly width: number },
  geometry: AuxiliaryGeometry,
  texts: { readonly encodings: readonly Encoding[]; readonly T: number },
): Record<string, HostTensor> => {
  const grid: Grid = {
    height: mapSize(padded.height, geometry.halvings),
    width: mapSize(padded.width, geometry.halvings),
    cell: 2 ** geometry.halvings / 2,
  };
  const shape = [grid.height, grid.width, subCells];
  return {
    auxiliary_centers: {
      dtype: 'float32',
      shape: [images.length, ...shape, 2],
      data: joinFloats(images.map(({ image }) => centers(grid, image))),
    },
    ...(geometry.encoder
      ? {
          auxiliary_mentioned: int32(
            [images.reduce((sum, { captions }) => sum + captions.length, 0), ...shape],
            mentioned(grid, images),
          ),
        }
      : {}),
    ...(geometry.backbone ? objectInputs(grid, images, shape) : {}),
    ...(geometry.answers
      ? { auxiliary_steps: answerSteps(images), auxiliary_answer_positions: answerPlaces(grid, images) }
      : {}),
    ...(geometry.words
      ? {
          auxiliary_positions: int32(
            [images.length, OBJECT_ATTRIBUTES.length, grid.height * grid.width],
            images.map((image) => placesOf(grid, image)),
          ),
          auxiliary_words: int32(
            [texts.encodings.length, OBJECT_ATTRIBUTES.length, texts.T],
            texts.encodings.map((encoding) => wordClassesOf(encoding, texts.T)),
          ),
        }
      : {}),
  };
};

const answerSteps = (images: readonly AuxiliaryImage[]): HostTensor => {
  const rows = images.flatMap(({ captions }) => captions.map(({ answerSteps: steps }) => steps));
  const nothingAsked = Array.from({ length: answerStepSlots }, () => noStep);
  return int32(
    [rows.length, answerStepSlots],
    rows.map((steps = nothingAsked) => Int32Array.from(steps)),
  );
};

/** 1 where a position shows a good part of an object that a question is about: (B, h·w). */
const answerPlaces = ({ height, width, cell }: Grid, images: readonly AuxiliaryImage[]): HostTensor => {
  const side = 2 * cell;
  const rows = images.flatMap(({ image, objects, captions }) =>
    captions.map(({ answerObjects = [] }) => {
      const places = new Float32Array(height * width);
      if (objects === undefined || answerObjects.length === 0) return places;
      const counts = new Map(answerObjects.map((object) => [object, new Int32Array(height * width)]));
      objects.instances.forEach((id, pixel) => {
        const own = counts.get(id - 1);
        if (own === undefined) return;
        const [x, y] = [pixel % image.width, Math.floor(pixel / image.width)];
        own[Math.floor(y / side) * width + Math.floor(x / side)]!++;
      });
      for (const own of counts.values()) {
        const area = own.reduce((sum, count) => sum + count, 0);
        own.forEach((count, place) => {
          if (count > 0 && (count >= enough * side ** 2 || count >= enough * area)) places[place] = 1;
        });
      }
      return places;
    }),
  );
  return { dtype: 'float32', shape: [rows.length, height * width], data: joinFloats(rows) };
};

/** For every attribute its class at every position, of the object that most of the position shows: (attributes, h·w). */
const placesOf = ({ height, width, cell }: Grid, { image, objects, id }: AuxiliaryImage): Int32Array => {
  if (objects === undefined) throw new Error(`internal: ${id}: the helper loss of words needs to know every object`);
  const { instances, attributes } = objects;
  const side = 2 * cell;
  const places = new Int32Array(OBJECT_ATTRIBUTES.length * height * width).fill(noPlace);
  const counts = new Int32Array(attributes.length / OBJECT_ATTRIBUTES.length);
  for (let place = 0; place < height * width; place++) {
    const [top, left] = [Math.floor(place / width) * side, (place % width) * side];
    counts.fill(0);
    for (let y = top; y < Math.min(top + side, image.height); y++)
      for (let x = left; x < Math.min(left + side, image.width); x++) {
        const object = instances[y * image.width + x]!;
        if (object > 0) counts[object - 1]!++;
      }
    const most = counts.indexOf(Math.max(...counts));
    if (most < 0 || counts[most]! < enough * side ** 2) continue;
    OBJECT_ATTRIBUTES.forEach((_, attribute) => {
      places[attribute * height * width + place] = attributes[most * OBJECT_ATTRIBUTES.length + attribute]!;
    });
  }
  return places;
};

const mentioned = (grid: Grid, images: readonly AuxiliaryImage[]): Int32Array[] => {
  let firstRow = 0;
  return images.flatMap(({ image, captions, objects }) =>
    captions.map((caption, index) => {
      const cells =
        objects === undefined
          ? cellsByBoxes(grid, image, caption, firstRow)
          : cellsByPixels(grid, image, objects, rowsOf(objects, index, firstRow));
      firstRow += caption.boxesCxcywh.length / 4;
      return cells;
    }),
  );
};

/** For every object the row of its box among the batch's; undefined for objects that the text does not mention. */
const rowsOf = ({ attributes, objectOfBox }: ImageObjects, text: number, firstRow: number): (number | undefined)[] => {
  const rows: (number | undefined)[] = Array.from(
    { length: attributes.length / OBJECT_ATTRIBUTES.length },
    () => undefined,
  );
  objectOfBox[text]!.forEach((object, box) => (rows[object] = firstRow + box));
  return rows;
};

const objectInputs = (
  grid: Grid,
  images: readonly AuxiliaryImage[],
  shape: readonly number[],
): Record<string, HostTensor> => {
  let firstRow = 0;
  const cells = images.map(({ image, objects, id }) => {
    if (objects === undefined)
      throw new Error(`internal: ${id}: the backbone's helper loss needs to know every object`);
    const count = objects.boxesXyxy.length / 4;
    const found = cellsByPixels(
      grid,
      image,
      objects,
      Array.from({ length: count }, (_, object) => firstRow + object),
    );
    firstRow += count;
    return found;
  });
  const attributes = images.map(({ objects }) => objects!.attributes);
  return {
    auxiliary_cells: int32([images.length, ...shape], cells),
    auxiliary_attributes: int32([firstRow, OBJECT_ATTRIBUTES.length], attributes),
    auxiliary_object_boxes: {
      dtype: 'float32',
      shape: [firstRow, 4],
      data: joinFloats(images.map(({ objects }) => objects!.boxesXyxy)),
    },
  };
};

const centers = (grid: Grid, { height, width }: { readonly height: number; readonly width: number }): Float32Array => {
  const values = new Float32Array(grid.height * grid.width * subCells * 2);
  forEachCell(grid, (position, top, left) => {
    values[2 * position] = (left + grid.cell / 2) / width;
    values[2 * position + 1] = (top + grid.cell / 2) / height;
  });
  return values;
};

const int32 = (shape: readonly number[], parts: readonly Int32Array[]): HostTensor => {
  const data = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { dtype: 'int32', shape, data };
};

const joinFloats = (parts: readonly Float32Array[]): Float32Array => {
  const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
};
