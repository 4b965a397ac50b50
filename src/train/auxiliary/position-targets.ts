import type { HostTensor } from '../../engine/graph/index.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import type { AuxiliaryImage, Grid } from './auxiliary-batch.ts';
import { concatFloat32, MIN_FRACTION } from './cell-targets.ts';
import { NO_POSITION } from './word-classes.ts';

/*
 * Targets of the auxiliary losses on attention: what every position of the backbone's last map shows. A position is a
 * square of 2 × 2 cells.
 */

/**
 * (B, h·w) 1 where a position shows an object that the question is about: the object covers a fraction of at least
 * `MIN_FRACTION` of the position, or the position contains at least that fraction of the object.
 */
export const answerPositions = ({ height, width, cell }: Grid, images: readonly AuxiliaryImage[]): HostTensor => {
  const side = 2 * cell;
  const targets = images.flatMap(({ image, objects, captions }) =>
    captions.map(({ answerObjects = [] }) => {
      const positions = new Float32Array(height * width);
      if (objects === undefined || answerObjects.length === 0) return positions;
      const counts = new Map(answerObjects.map((object) => [object, new Int32Array(height * width)]));
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
    }),
  );
  return { dtype: 'float32', shape: [targets.length, height * width], data: concatFloat32(targets) };
};

/**
 * (attributes, h·w) class of every attribute of the object that covers most of a position, `NO_POSITION` where no object
 * covers enough of it.
 */
export const positionAttributes = (
  { height, width, cell }: Grid,
  { image, objects, id }: AuxiliaryImage,
): Int32Array => {
  if (objects === undefined) throw new Error(`internal: ${id}: the auxiliary loss of words needs to know every object`);
  const { instances, attributes } = objects;
  const side = 2 * cell;
  const classes = new Int32Array(OBJECT_ATTRIBUTES.length * height * width).fill(NO_POSITION);
  const counts = new Int32Array(attributes.length / OBJECT_ATTRIBUTES.length);
  for (let position = 0; position < height * width; position++) {
    const [top, left] = [Math.floor(position / width) * side, (position % width) * side];
    counts.fill(0);
    for (let y = top; y < Math.min(top + side, image.height); y++)
      for (let x = left; x < Math.min(left + side, image.width); x++) {
        const object = instances[y * image.width + x]!;
        if (object > 0) counts[object - 1]!++;
      }
    const largest = counts.indexOf(Math.max(...counts));
    if (largest < 0 || counts[largest]! < MIN_FRACTION * side ** 2) continue;
    OBJECT_ATTRIBUTES.forEach((_, attribute) => {
      classes[attribute * height * width + position] = attributes[largest * OBJECT_ATTRIBUTES.length + attribute]!;
    });
  }
  return classes;
};
