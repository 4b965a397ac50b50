import type { RawImage } from '../../data/images/raw-image.ts';
import { directionsOf, dot, project, scale, subtract, type Camera, type Directions, type Vector } from './camera.ts';
import type { ObjectAttributes } from './attributes.ts';
import { sampleLayout } from './layout.ts';
import { sampleLights } from './lights.ts';
import { requireWhole } from './require-integer.ts';
import { Random } from '../../random/random.ts';
import { relationshipsOf, type Relationships } from './relations.ts';
import { render } from './render.ts';
import type { RenderQuality } from './shading.ts';
import { Solids, type PlacedObject } from './solids.ts';
import type { SceneSplit } from './splits.ts';
import { mapInstances, type Box } from './visibility.ts';

/** All that texts are made from: what the objects are, where the picture shows them, how they stand to each other. */
export interface TextScene {
  /** Which wordings fit, and which combinations may be spoken of as absent; `standard` where missing. */
  readonly split?: SceneSplit;
  readonly width: number;
  readonly height: number;
  readonly objects: readonly SeenObject[];
  readonly relationships: Relationships;
}

export interface SeenObject extends ObjectAttributes {
  /** Centre in the picture (pixels) and distance along the optical axis (scene units). */
  readonly pixelCoords: Vector;
  /** Bounds of the visible pixels. */
  readonly box: Box;
  /** Visible share of what the object would cover if it stood alone. */
  readonly visibleFraction: number;
}

export interface SceneObject extends SeenObject, PlacedObject {
  readonly visiblePixels: number;
}

export interface Scene extends TextScene {
  readonly seed: number;
  readonly index: number;
  readonly split: SceneSplit;
  readonly camera: Camera;
  readonly directions: Directions;
  readonly objects: readonly SceneObject[];
  /** (height, width): 0 is the ground, i + 1 is object i. */
  readonly instances: Uint8Array;
}

export interface RenderedScene extends Scene {
  readonly image: RawImage;
}

export interface SceneOptions {
  readonly split?: SceneSplit;
  /** Pixels; 192 × 128 unless told. The 3:2 frame that holds all objects is always inside. */
  readonly width?: number;
  readonly height?: number;
  /** How many objects, 3 to 8 unless told; at most 10. */
  readonly minObjects?: number;
  readonly maxObjects?: number;
  /** Rays and shadow samples; unless told, `fine` for more than 60,000 pixels and `fast` below. */
  readonly quality?: keyof typeof RENDER_QUALITIES;
}

/** `fast` is for training at 192 × 128, `fine` for pictures that people look at. */
export const RENDER_QUALITIES = {
  fast: { shadowSamples: 12, edgeSamples: 4 },
  fine: { shadowSamples: 64, edgeSamples: 16 },
} as const satisfies Record<string, RenderQuality>;

export const SCENE_DEFAULTS = {
  split: 'standard',
  width: 192,
  height: 128,
  minObjects: 3,
  maxObjects: 8,
} as const;

/** Smaller pictures could lose an object altogether. */
const MIN_WIDTH = 60;
const MIN_HEIGHT = 40;
const MAX_SIDE = 4096;
const MAX_OBJECTS = 10;

/**
 * Scene `index` of `seed`, drawn. The same arguments give the same bytes, in any order, on any thread.
 * @throws UsageError when an option is out of range.
 */
export const generateScene = (seed: number, index: number, options: SceneOptions = {}): RenderedScene => {
  const { scene, solids, map } = arrange(seed, index, options);
  const quality = options.quality ?? (scene.width * scene.height > 60_000 ? 'fine' : 'fast');
  const lights = sampleLights(Random.of(seed, index, 'lights'));
  return { ...scene, image: render(scene.camera, solids, lights, map, RENDER_QUALITIES[quality]) };
};

/** The same scene without its picture, about a hundred times faster; masks and boxes included. */
export const describeScene = (seed: number, index: number, options: SceneOptions = {}): Scene =>
  arrange(seed, index, options).scene;

/** The options with their defaults. @throws UsageError when one is out of range. */
export const completeSceneOptions = (options: SceneOptions) => {
  const complete = { ...SCENE_DEFAULTS, ...options };
  requireWhole('width', complete.width, MIN_WIDTH, MAX_SIDE);
  requireWhole('height', complete.height, MIN_HEIGHT, MAX_SIDE);
  requireWhole('minObjects', complete.minObjects, 1, MAX_OBJECTS);
  requireWhole('maxObjects', complete.maxObjects, complete.minObjects, MAX_OBJECTS);
  return complete;
};

const arrange = (seed: number, index: number, options: SceneOptions) => {
  const { split, width, height, minObjects, maxObjects } = completeSceneOptions(options);
  requireWhole('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  requireWhole('index', index, 0, Number.MAX_SAFE_INTEGER);
  const random = Random.of(seed, index, 'layout');
  for (;;) {
    const { camera, objects } = sampleLayout(random, { split, minObjects, maxObjects });
    const solids = new Solids(objects);
    const map = mapInstances(camera, solids, width, height);
    // Only on very small pictures can an object that the layout found visible lose its last pixel.
    if (map.visible.some((pixels) => pixels === 0)) continue;
    const directions = directionsOf(camera);
    const scene: Scene = {
      seed,
      index,
      split,
      width,
      height,
      camera,
      directions,
      relationships: relationshipsOf(
        objects.map(({ position }) => position),
        directions,
      ),
      instances: map.ids,
      objects: objects.map((object, i) => ({
        ...object,
        pixelCoords: project(camera, object.position, width, height),
        box: [map.boxes[4 * i]!, map.boxes[4 * i + 1]!, map.boxes[4 * i + 2]!, map.boxes[4 * i + 3]!],
        visiblePixels: map.visible[i]!,
        visibleFraction: map.visible[i]! / map.alone[i]!,
      })),
    };
    return { scene, solids, map };
  }
};

/**
 * The scene in a mirror that swaps left and right, picture included if there is one. Make texts afterwards, from the
 * result: a text of the original speaks of the other side.
 */
export function flipScene(scene: RenderedScene): RenderedScene;
export function flipScene(scene: Scene): Scene;
export function flipScene(scene: TextScene): TextScene;
export function flipScene(scene: TextScene | Scene | RenderedScene): TextScene | Scene | RenderedScene {
  const { width } = scene;
  const { left, right, front, behind } = scene.relationships;
  const seen = <T extends SeenObject>(object: T): T => ({
    ...object,
    pixelCoords: [width - object.pixelCoords[0], object.pixelCoords[1], object.pixelCoords[2]],
    box: [width - object.box[2], object.box[1], width - object.box[0], object.box[3]],
  });
  const flipped = { ...scene, relationships: { left: right, right: left, front, behind } };
  if (!('camera' in scene)) return { ...flipped, objects: scene.objects.map(seen) };
  const objects = scene.objects.map((object) => reflect(seen(object), scene));
  const instances = mirrorRows(scene.instances, width, 1);
  if (!('image' in scene)) return { ...flipped, objects, instances };
  return { ...flipped, objects, instances, image: { ...scene.image, data: mirrorRows(scene.image.data, width, 3) } };
}

/** The object beyond the vertical plane through the camera's axis: left and right keep their meaning in space. */
const reflect = (object: SceneObject, { camera, directions }: Scene): SceneObject => {
  const side = dot(subtract(object.position, camera.position), directions.right);
  const position = subtract(object.position, scale(directions.right, 2 * side));
  // A mirror along the angle φ turns the angle θ into 2φ − θ; cubes repeat every 90°, so the sign is all that shows.
  const [x, y] = directions.behind;
  const turn = (Math.atan2(y, x) * 360) / Math.PI - object.rotation;
  return { ...object, position, rotation: ((turn % 360) + 360) % 360 };
};

const mirrorRows = (data: Uint8Array, width: number, channels: number): Uint8Array => {
  const result = new Uint8Array(data.length);
  const row = width * channels;
  for (let start = 0; start < data.length; start += row) {
    for (let x = 0; x < width; x++) {
      const from = start + x * channels;
      const to = start + (width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) result[to + c] = data[from + c]!;
    }
  }
  return result;
};
