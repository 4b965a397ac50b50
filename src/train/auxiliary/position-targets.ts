import { concatValues } from '../../engine/graph/concat-values.ts';
import { float32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import { ANSWER_SLOTS } from './answer-slots.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import type { AuxiliaryImage, Grid } from './auxiliary-batch.ts';
import { MIN_FRACTION } from './cell-targets.ts';
import { NO_POSITION } from './word-classes.ts';

/*
 * Targets of the auxiliary losses on attention: what every position of the backbone's last map shows. A position is a
 * square of 2 × 2 cells.
 */

/** (B, h·w) 1 where a position shows an object that the question is about, in any slot. */
export const answerPositions = (grid: Grid, images: readonly AuxiliaryImage[]): HostTensor => {
  const targets = images.flatMap((image) =>
    image.captions.map(({ answerSlots = [] }) =>
      positionsOf(
        grid,
        image,
        answerSlots.flatMap(({ objects }) => objects),
      ),
    ),
  );
  return float32Tensor([targets.length, grid.height * grid.width], concatValues(Float32Array, targets));
};

/** (B, slots, h·w) 1 where a position shows an object of a question's slot (`answerSlotsOf`). */
export const slotPositions = (grid: Grid, images: readonly AuxiliaryImage[]): HostTensor => {
  const targets = images.flatMap((image) =>
    image.captions.flatMap(({ answerSlots = [] }) =>
      Array.from({ length: ANSWER_SLOTS }, (_, slot) => positionsOf(grid, image, answerSlots[slot]?.objects ?? [])),
    ),
  );
  const shape = [targets.length / ANSWER_SLOTS, ANSWER_SLOTS, grid.height * grid.width];
  return float32Tensor(shape, concatValues(Float32Array, targets));
};

/**
 * (h·w) 1 where a position shows one of the objects: the object covers a fraction of at least `MIN_FRACTION` of the position, or
 * the position contains at least that fraction of the object.
 */
const positionsOf = ({ height, width, cell }: Grid, { image, objects }: AuxiliaryImage, shown: readonly number[]) => {
  const side = 2 * cell;
  const positions = new Float32Array(height * width);
  if (objects === undefined || shown.length === 0) return positions;
  const counts = new Map(shown.map((object) => [object, new Int32Array(height * width)]));
  objects.instances.forEach((id, pixel) => {
    const own = counts.get(id - 1);
    if (own === undefined) return;
    const [x, y] = [pixel % image.width, Math.floor(pixel / image.width)];
    own[Math.floor(y / side) * width + Math.floor(x / side)]!++;
  });
  for (const own of counts.values()) {
    const area = own.reduce((sum, count) => sum + count, 0);
    own.forEach((count, position) => {
      if (count > 0 && (count >= MIN_FRACTION * side ** 2 || count >= MIN_FRACTION * area)) positions[position] = 1;
    });
  }
  return positions;
};

/**
 * (h·w) index of the object that covers most of a position, -1 where no object covers at least `MIN_FRACTION` of it.
 *
 * @param loss name of the loss in error messages
 */
export const positionObjects = (
  { height, width, cell }: Grid,
  { image, objects, id }: AuxiliaryImage,
  loss: string,
): Int32Array => {
  if (objects === undefined)
    throw new Error(`internal: ${id}: the auxiliary loss of ${loss} needs to know every object`);
  const { instances, attributes } = objects;
  const side = 2 * cell;
  const found = new Int32Array(height * width).fill(-1);
  const counts = new Int32Array(attributes.length / OBJECT_ATTRIBUTES.length);
  for (let position = 0; position < found.length; position++) {
    const [top, left] = [Math.floor(position / width) * side, (position % width) * side];
    counts.fill(0);
    for (let y = top; y < Math.min(top + side, image.height); y++)
      for (let x = left; x < Math.min(left + side, image.width); x++) {
        const object = instances[y * image.width + x]!;
        if (object > 0) counts[object - 1]!++;
      }
    const largest = counts.indexOf(Math.max(...counts));
    if (largest >= 0 && counts[largest]! >= MIN_FRACTION * side ** 2) found[position] = largest;
  }
  return found;
};

/** (attributes, h·w) class of every attribute of the object that a position shows, `NO_POSITION` without one. */
export const positionAttributes = (grid: Grid, image: AuxiliaryImage): Int32Array => {
  const found = positionObjects(grid, image, 'words');
  const classes = new Int32Array(OBJECT_ATTRIBUTES.length * found.length).fill(NO_POSITION);
  found.forEach((object, position) => {
    if (object < 0) return;
    OBJECT_ATTRIBUTES.forEach((_, attribute) => {
      classes[attribute * found.length + position] =
        image.objects!.attributes[object * OBJECT_ATTRIBUTES.length + attribute]!;
    });
  });
  return classes;
};
