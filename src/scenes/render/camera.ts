import type { Random } from '../../random/random.ts';

/** Vector in the scene's coordinates. */
export type Vector = readonly [x: number, y: number, z: number];

/** Scalar product of two vectors. */
export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** Sum of two vectors. */
export const add = (a: Vector, b: Vector): Vector => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
/** Difference of two vectors. */
export const subtract = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
/** Vector multiplied by a factor. */
export const scale = (a: Vector, factor: number): Vector => [a[0] * factor, a[1] * factor, a[2] * factor];
/** Cross product of two vectors. */
export const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
/** Unit vector of the same direction. */
export const normalize = (a: Vector): Vector => scale(a, 1 / Math.sqrt(dot(a, a)));

/** A pinhole camera in world coordinates, where the ground is z = 0 and z points up. The three axes are orthonormal. */
export interface Camera {
  /** Position in the scene's coordinates. */
  readonly position: Vector;
  /** Unit vector of the viewing direction. */
  readonly forward: Vector;
  /** Unit vector to the right in the image. */
  readonly right: Vector;
  /** Unit vector upward in the image. */
  readonly up: Vector;
}

/** CLEVR's directions as unit vectors. All but `above` and `below` lie in the ground plane. */
export interface Directions {
  /** Unit vector along the ground, to the left in the image. */
  readonly left: Vector;
  /** Unit vector along the ground, to the right in the image. */
  readonly right: Vector;
  /** Unit vector along the ground, toward the camera. */
  readonly front: Vector;
  /** Unit vector along the ground, away from the camera. */
  readonly behind: Vector;
  /** Unit vector upward. */
  readonly above: Vector;
  /** Unit vector downward. */
  readonly below: Vector;
}

const BASE_POSITION: Vector = [7.2, -6.8, 5.1];
const BASE_TARGET: Vector = [0, 0, 0.15];
/** Maximum displacement of the camera along each axis, as in CLEVR. */
const POSITION_JITTER = 0.5;

/** Tangent of half the field of view of a 3:2 image: a 35 mm lens on a 32 mm sensor. */
const TAN_HALF_WIDTH = 16 / 35;
const TAN_HALF_HEIGHT = TAN_HALF_WIDTH / 1.5;

/** Samples a camera near CLEVR's base position. */
export const sampleCamera = (random: Random): Camera => {
  const jitter = (): number => random.between(-POSITION_JITTER, POSITION_JITTER);
  const position = add(BASE_POSITION, [jitter(), jitter(), jitter()]);
  const forward = normalize(subtract(BASE_TARGET, position));
  const right = normalize(cross(forward, [0, 0, 1]));
  return { position, forward, right, up: cross(right, forward) };
};

/** Directions of a scene: the camera's axes projected onto the ground. */
export const directionsOf = (camera: Camera): Directions => {
  const flatten = (v: Vector): Vector => normalize([v[0], v[1], 0]);
  const behind = flatten(camera.forward);
  const right = flatten(camera.right);
  return {
    right,
    behind,
    above: [0, 0, 1],
    below: [0, 0, -1],
    left: scale(right, -1),
    front: scale(behind, -1),
  };
};

/** Focal length in pixels. Every image shows the same 3:2 frame, and more around it if its aspect ratio differs. */
export const focalLength = (widthPx: number, heightPx: number): number =>
  Math.min(widthPx / (2 * TAN_HALF_WIDTH), heightPx / (2 * TAN_HALF_HEIGHT));

/** Projects a point to pixels from the top left corner, and returns its distance along the optical axis as `depth`. */
export const project = (
  camera: Camera,
  point: Vector,
  widthPx: number,
  heightPx: number,
): readonly [x: number, y: number, depth: number] => {
  const offset = subtract(point, camera.position);
  const depth = dot(offset, camera.forward);
  const f = focalLength(widthPx, heightPx) / depth;
  return [widthPx / 2 + f * dot(offset, camera.right), heightPx / 2 - f * dot(offset, camera.up), depth];
};
