import { MATERIALS, SHAPES, SIZES, SIZE_RADIUS } from './attributes.ts';
import { directionsOf, dot, sampleCamera, subtract, type Camera, type Directions, type Vector } from './camera.ts';
import type { Random } from '../../random/random.ts';
import { halfHeight, Solids, type PlacedObject } from './solids.ts';
import { colorsAllowed, type SceneSplit } from './splits.ts';
import { mapInstances } from './visibility.ts';

/** Camera and objects of a scene. Independent of the image size. */
export interface Layout {
  readonly camera: Camera;
  readonly directions: Directions;
  readonly objects: readonly PlacedObject[];
}

/** Options of placing the objects of a scene. */
export interface LayoutOptions {
  readonly split: SceneSplit;
  readonly minObjects: number;
  readonly maxObjects: number;
}

/** Maximum distance of an object from the center along both ground axes. */
const FIELD = 3;
/** Minimum gap between two objects, as in CLEVR. */
const MIN_GAP = 0.25;
/** Minimum difference of two objects along left–right and front–behind, so that relations are unambiguous. */
const MARGIN = 0.4;
const TRIES_PER_OBJECT = 60;

/** Visibility is tested at this image size, so that the layout does not depend on the requested one. */
const TEST_WIDTH = 192;
const TEST_HEIGHT = 128;
/** CLEVR requires 200 pixels at 320 × 240, which is 64 at this size. In addition, at most two thirds of an object may be occluded. */
const MIN_VISIBLE_PIXELS = 56;
const MIN_VISIBLE_FRACTION = 0.33;

/** Samples camera and objects until all objects are visible. */
export const sampleLayout = (random: Random, options: LayoutOptions): Layout => {
  const camera = sampleCamera(random);
  const directions = directionsOf(camera);
  const count = random.integer(options.minObjects, options.maxObjects);
  for (let attempt = 0; attempt < 20_000; attempt++) {
    const objects = placeObjects(random, count, directions, options.split);
    if (objects !== undefined && allVisible(camera, objects)) return { camera, directions, objects };
  }
  throw new Error(`internal: no room for ${count} objects`);
};

const placeObjects = (
  random: Random,
  count: number,
  directions: Directions,
  split: SceneSplit,
): PlacedObject[] | undefined => {
  const objects: PlacedObject[] = [];
  for (let i = 0; i < count; i++) {
    const size = random.pick(SIZES);
    const ground = findFreePosition(random, SIZE_RADIUS[size], objects, directions);
    if (ground === undefined) return undefined;
    const shape = random.pick(SHAPES);
    const color = random.pick(colorsAllowed(split, shape));
    const material = random.pick(MATERIALS);
    const position: Vector = [ground[0], ground[1], halfHeight({ shape, size })];
    objects.push({ size, color, material, shape, position, rotation: random.between(0, 360) });
  }
  return objects;
};

const findFreePosition = (
  random: Random,
  radius: number,
  objects: readonly PlacedObject[],
  { right, behind }: Directions,
): readonly [number, number] | undefined => {
  for (let attempt = 0; attempt < TRIES_PER_OBJECT; attempt++) {
    const x = random.between(-FIELD, FIELD);
    const y = random.between(-FIELD, FIELD);
    const free = objects.every((other) => {
      const offset: Vector = subtract([x, y, 0], [other.position[0], other.position[1], 0]);
      const gap = radius + SIZE_RADIUS[other.size] + MIN_GAP;
      return (
        dot(offset, offset) >= gap * gap &&
        Math.abs(dot(offset, right)) >= MARGIN &&
        Math.abs(dot(offset, behind)) >= MARGIN
      );
    });
    if (free) return [x, y];
  }
  return undefined;
};

const allVisible = (camera: Camera, objects: readonly PlacedObject[]): boolean => {
  const map = mapInstances(camera, new Solids(objects), TEST_WIDTH, TEST_HEIGHT);
  return objects.every(
    (_, i) =>
      map.clipped[i] === 0 &&
      map.visible[i]! >= MIN_VISIBLE_PIXELS &&
      map.visible[i]! >= MIN_VISIBLE_FRACTION * map.alone[i]!,
  );
};
