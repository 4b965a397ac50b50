import type { BoxXywh } from '../../geometry/boxes.ts';
import type { ClevrSourceScene } from './scene-source.ts';

/** Blender's camera of CLEVR: focal length over sensor width. */
const FOCAL_LENGTH = 35 / 32;
/** Points of a circle that stand for it. */
const AROUND = 32;

type Point = readonly [x: number, y: number, z: number];

/**
 * Boxes of a scene's objects as the camera sees them, worked out from their places in space and in the picture, for
 * data without boxes: the whole extent of each object, whatever stands before it. An object's height over the ground is
 * its half height, which gives its size. Undefined where the places do not tell the camera.
 */
export const boxesByCamera = (scene: ClevrSourceScene, width: number, height: number): BoxXywh[] | undefined => {
  const project = projectionOf(scene, width, height);
  if (project === undefined) return undefined;
  return scene.objects.map((object) => {
    const points = surfaceOf(object.shape, object['3d_coords'] as unknown as Point, object.rotation).map(project);
    const clamp = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
    const [x0, x1] = [Math.min, Math.max].map((pick) => clamp(pick(...points.map(([u]) => u)), width)) as [
      number,
      number,
    ];
    const [y0, y1] = [Math.min, Math.max].map((pick) => clamp(pick(...points.map(([, v]) => v)), height)) as [
      number,
      number,
    ];
    return [x0, y0, x1 - x0, y1 - y0];
  });
};

/**
 * From space to pixels. To the right the camera's axis is `directions.right`. In the plane of `directions.behind` and
 * the vertical it is turned downwards by an angle: depth and height in its view are distance and height in space,
 * turned by that angle and shifted. Angle and shift are those that fit all objects best.
 */
const projectionOf = (
  { objects, directions }: ClevrSourceScene,
  width: number,
  height: number,
): ((point: Point) => [u: number, v: number]) | undefined => {
  const { right, behind } = directions;
  if (right?.length !== 3 || behind?.length !== 3 || objects.length < 2) return undefined;
  const focal = FOCAL_LENGTH * width;
  const dot = (a: readonly number[], b: readonly number[]): number => a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]!;
  const seen: { across: number; far: number; up: number; x: number; depth: number; y: number }[] = [];
  for (const { '3d_coords': place, pixel_coords: pixel } of objects) {
    if (place === undefined || pixel === undefined) return undefined;
    const [u, v, depth] = pixel as [number, number, number];
    seen.push({
      across: dot(right, place),
      far: dot(behind, place),
      up: place[2]!,
      x: ((u - width / 2) * depth) / focal,
      depth,
      y: (-(v - height / 2) * depth) / focal,
    });
  }
  const mean = (value: (object: (typeof seen)[number]) => number): number =>
    seen.reduce((sum, object) => sum + value(object), 0) / seen.length;
  const [far, up, depth, y] = [mean((o) => o.far), mean((o) => o.up), mean((o) => o.depth), mean((o) => o.y)];
  const along = mean((o) => (o.far - far) * (o.depth - depth) + (o.up - up) * (o.y - y));
  const turned = mean((o) => (o.far - far) * (o.y - y) - (o.up - up) * (o.depth - depth));
  const length = Math.hypot(along, turned);
  if (!(length > 1e-6)) return undefined;
  const [cos, sin] = [along / length, turned / length];
  const shift = mean((o) => o.x - o.across);
  return (point) => {
    const [a, b, c] = [dot(right, point) + shift, dot(behind, point) - far, point[2] - up];
    const z = cos * b - sin * c + depth;
    return [width / 2 + (focal * a) / z, height / 2 - (focal * (sin * b + cos * c + y)) / z];
  };
};

/** Points on the outline of a solid that stands on the ground. */
const surfaceOf = (shape: string, [x, y, half]: Point, rotationDegrees: number): Point[] => {
  const circle = (radius: number, z: number, count = AROUND, turn = 0): Point[] =>
    Array.from({ length: count }, (_, i) => {
      const angle = (2 * Math.PI * i) / count + turn;
      return [x + radius * Math.cos(angle), y + radius * Math.sin(angle), z];
    });
  if (shape === 'cube') {
    const turn = (rotationDegrees * Math.PI) / 180 + Math.PI / 4;
    return [0, 2 * half].flatMap((z) => circle(half * Math.SQRT2, z, 4, turn));
  }
  if (shape === 'cylinder') return [0, 2 * half].flatMap((z) => circle(half, z));
  return Array.from({ length: AROUND / 2 + 1 }, (_, i) => (2 * Math.PI * i) / AROUND).flatMap((angle) =>
    circle(half * Math.sin(angle), half - half * Math.cos(angle)),
  );
};
