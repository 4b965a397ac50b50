import type { RawImage } from '../../data/images/raw-image.ts';
import { directionsOf, dot, project, scale, subtract, type Camera, type Directions, type Vector } from './camera.ts';
import type { ObjectAttributes } from './attributes.ts';
import { sampleLayout } from './layout.ts';
import { sampleLights } from './lights.ts';
import { requireInteger } from './require-integer.ts';
import { Random } from '../../random/random.ts';
import { relationshipsOf, type Relationships } from './relations.ts';
import { render } from './render.ts';
import type { RenderQuality } from './shading.ts';
import { Solids, type PlacedObject } from './solids.ts';
import type { SceneSplit } from './splits.ts';
import { mapInstances, type Box } from './visibility.ts';

/** The part of a scene that texts are generated from: attributes of the objects, their boxes and relations. */
export interface TextScene {
  /** Determines the default wording, and the combinations that texts may mention as absent. Default `standard`. */
  readonly split?: SceneSplit;
  /** Width of the image in pixels. */
  readonly width: number;
  /** Height of the image in pixels. */
  readonly height: number;
  /** Objects with attributes and boxes. */
  readonly objects: readonly SeenObject[];
  /** For each relation and object, the objects on that side of it. */
  readonly relationships: Relationships;
}

/** An object as it appears in the image. */
export interface SeenObject extends ObjectAttributes {
  /** Projected center (pixels) and distance along the optical axis (scene units). */
  readonly pixelCoords: Vector;
  /** Bounds of the visible pixels. */
  readonly box: Box;
  /** Visible pixels divided by the pixels that the object would cover alone. */
  readonly visibleFraction: number;
}

/** An object with its appearance and its pose in world coordinates. */
export interface SceneObject extends SeenObject, PlacedObject {
  /** Number of pixels that show the object. */
  readonly visiblePixels: number;
}

/** A generated scene without its image. */
export interface Scene extends TextScene {
  /** Seed of the scene. */
  readonly seed: number;
  /** Index of the scene. */
  readonly index: number;
  /** Split of the scene. */
  readonly split: SceneSplit;
  /** Camera. */
  readonly camera: Camera;
  /** Directions on the ground as the camera sees them. */
  readonly directions: Directions;
  /** Objects with their positions. */
  readonly objects: readonly SceneObject[];
  /** Instance map, (height, width), row-major: 0 is the ground, i + 1 is object i. */
  readonly instances: Uint8Array;
}

/** A generated scene with its image. */
export interface RenderedScene extends Scene {
  /** Pixels of the scene. */
  readonly image: RawImage;
}

/** Options of `generateScene` and `describeScene`. */
export interface SceneOptions {
  /** Attribute combinations and wordings. Default `standard`. */
  readonly split?: SceneSplit;
  /** Image width in pixels. Default 192. The 3:2 frame that contains all objects is always inside the image. */
  readonly width?: number;
  /** Image height in pixels. Default 128. */
  readonly height?: number;
  /** Minimum number of objects. Default 3. */
  readonly minObjects?: number;
  /** Maximum number of objects, up to 10. Default 8. */
  readonly maxObjects?: number;
  /** Number of rays and shadow samples. Default: `fine` for more than 60,000 pixels, otherwise `fast`. */
  readonly quality?: keyof typeof RENDER_QUALITIES | undefined;
}

/** Render qualities: `fast` for training at 192 × 128, `fine` for images that people look at. */
export const RENDER_QUALITIES = {
  fast: { shadowSamples: 12, edgeSamples: 4 },
  fine: { shadowSamples: 64, edgeSamples: 16 },
} as const satisfies Record<string, RenderQuality>;

/** Default options of a scene. */
export const SCENE_DEFAULTS = {
  split: 'standard',
  width: 192,
  height: 128,
  minObjects: 3,
  maxObjects: 8,
} as const;

/** In smaller images an object could disappear. */
const MIN_WIDTH = 60;
const MIN_HEIGHT = 40;
const MAX_SIDE = 4096;
const MAX_OBJECTS = 10;

/**
 * Generates and renders scene `index` of `seed`. Equal arguments give equal bytes on every platform, in any order.
 * @throws {UsageError} if an option is out of range
 * @example
 * const scene = generateScene(1, 0, { width: 480, height: 320 });
 * const [caption] = makeTexts(scene, 'caption', Random.of(1, 0, 'caption'));
 */
export const generateScene = (seed: number, index: number, options: SceneOptions = {}): RenderedScene => {
  const { scene, solids, map } = arrange(seed, index, options);
  const quality = options.quality ?? (scene.width * scene.height > 60_000 ? 'fine' : 'fast');
  const lights = sampleLights(Random.of(seed, index, 'lights'));
  return { ...scene, image: render(scene.camera, solids, lights, map, RENDER_QUALITIES[quality]) };
};

/**
 * Generates the same scene without rendering its image, about a hundred times faster. Masks and boxes are included.
 * @throws {UsageError} if an option is out of range
 */
export const describeScene = (seed: number, index: number, options: SceneOptions = {}): Scene =>
  arrange(seed, index, options).scene;

/** Options with their defaults. @throws {UsageError} if an option is out of range */
export const completeSceneOptions = (options: SceneOptions) => {
  const complete = { ...SCENE_DEFAULTS, ...options };
  requireInteger('width', complete.width, MIN_WIDTH, MAX_SIDE);
  requireInteger('height', complete.height, MIN_HEIGHT, MAX_SIDE);
  requireInteger('minObjects', complete.minObjects, 1, MAX_OBJECTS);
  requireInteger('maxObjects', complete.maxObjects, complete.minObjects, MAX_OBJECTS);
  return complete;
};

const arrange = (seed: number, index: number, options: SceneOptions) => {
  const { split, width, height, minObjects, maxObjects } = completeSceneOptions(options);
  requireInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('index', index, 0, Number.MAX_SAFE_INTEGER);
  const random = Random.of(seed, index, 'layout');
  for (;;) {
    const { camera, objects } = sampleLayout(random, { split, minObjects, maxObjects });
    const solids = new Solids(objects);
    const map = mapInstances(camera, solids, width, height);
    // Only in very small images can an object that is visible in the layout have no pixel.
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
 * Flips a scene horizontally, including its image if it has one. Generate texts from the result: texts of the original
 * have left and right swapped.
 */
export function flipScene(scene: RenderedScene): RenderedScene;
/** Mirrors a scene without its image. */
export function flipScene(scene: Scene): Scene;
/** Mirrors a scene without its image. */
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
  const instances = flipRows(scene.instances, width, 1);
  if (!('image' in scene)) return { ...flipped, objects, instances };
  return { ...flipped, objects, instances, image: { ...scene.image, data: flipRows(scene.image.data, width, 3) } };
}

/** Reflects the object at the vertical plane through the camera's axis. The directions of the scene stay valid. */
const reflect = (object: SceneObject, { camera, directions }: Scene): SceneObject => {
  const side = dot(subtract(object.position, camera.position), directions.right);
  const position = subtract(object.position, scale(directions.right, 2 * side));
  // Reflection at a line with angle φ maps the angle θ to 2φ − θ.
  const [x, y] = directions.behind;
  const rotation = (Math.atan2(y, x) * 360) / Math.PI - object.rotation;
  return { ...object, position, rotation: ((rotation % 360) + 360) % 360 };
};

const flipRows = (data: Uint8Array, width: number, channels: number): Uint8Array => {
  const result = new Uint8Array(data.length);
  const stride = width * channels;
  for (let start = 0; start < data.length; start += stride) {
    for (let x = 0; x < width; x++) {
      const from = start + x * channels;
      const to = start + (width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) result[to + c] = data[from + c]!;
    }
  }
  return result;
};
