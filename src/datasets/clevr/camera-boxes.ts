import type { BoxXywh } from '../../geometry/boxes.ts';
import type { ClevrSourceScene } from './scene-source.ts';

/** Focal length divided by sensor width of CLEVR's Blender camera. */
const FOCAL_LENGTH = 35 / 32;
/** Number of points that approximate a circle. */
const CIRCLE_POINTS = 32;

type Point = readonly [x: number, y: number, z: number];

/**
 * Boxes of a scene's objects for data without boxes, computed from the objects' 3D and pixel coordinates. A box covers
 * the full extent of its object, occluded parts included. The size follows from the height of the object's center above
 * the ground, which is half its height. Pixels, xywh, clipped to the image. Undefined if the coordinates do not determine
 * the camera.
 */
export const boxesByCamera = (scene: ClevrSourceScene, width: number, height: number): BoxXywh[] | undefined => {
  const project = projectionOf(scene, width, height);
  if (project === undefined) return undefined;
  return scene.objects.map((object) => {
    const points = surfaceOf(object.shape, object['3d_coords'] as unknown as Point, object.rotation).map(project);
    const clamp = (value: number, max: number): number => Math.min(Math.max(value, 0), max);
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
 * Projection from world coordinates to pixels. The camera's horizontal axis is `directions.right`. In the plane spanned
 * by `directions.behind` and the vertical the camera is pitched down: depth and height in the view are distance and
 * height in the world, rotated and shifted. Rotation and shift are the least-squares fit to all objects.
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
  for (const { '3d_coords': position, pixel_coords: pixel } of objects) {
    if (position === undefined || pixel === undefined) return undefined;
    const [u, v, depth] = pixel as [number, number, number];
    seen.push({
      across: dot(right, position),
      far: dot(behind, position),
      up: position[2]!,
      x: ((u - width / 2) * depth) / focal,
      depth,
      y: (-(v - height / 2) * depth) / focal,
    });
  }
  const mean = (value: (object: (typeof seen)[number]) => number): number =>
    seen.reduce((sum, object) => sum + value(object), 0) / seen.length;
  const [far, up, depth, y] = [mean((o) => o.far), mean((o) => o.up), mean((o) => o.depth), mean((o) => o.y)];
  const along = mean((o) => (o.far - far) * (o.depth - depth) + (o.up - up) * (o.y - y));
  const across = mean((o) => (o.far - far) * (o.y - y) - (o.up - up) * (o.depth - depth));
  const length = Math.hypot(along, across);
  if (!(length > 1e-6)) return undefined;
  const [cos, sin] = [along / length, across / length];
  const shift = mean((o) => o.x - o.across);
  return (point) => {
    const [a, b, c] = [dot(right, point) + shift, dot(behind, point) - far, point[2] - up];
    const z = cos * b - sin * c + depth;
    return [width / 2 + (focal * a) / z, height / 2 - (focal * (sin * b + cos * c + y)) / z];
  };
};

/** Points on the surface of a solid on the ground that determine its bounding box. */
const surfaceOf = (shape: string, [x, y, half]: Point, rotationDegrees: number): Point[] => {
  const circle = (radius: number, z: number, count = CIRCLE_POINTS, rotation = 0): Point[] =>
    Array.from({ length: count }, (_, i) => {
      const angle = (2 * Math.PI * i) / count + rotation;
      return [x + radius * Math.cos(angle), y + radius * Math.sin(angle), z];
    });
  if (shape === 'cube') {
    const rotation = (rotationDegrees * Math.PI) / 180 + Math.PI / 4;
    return [0, 2 * half].flatMap((z) => circle(half * Math.SQRT2, z, 4, rotation));
  }
  if (shape === 'cylinder') return [0, 2 * half].flatMap((z) => circle(half, z));
  return Array.from({ length: CIRCLE_POINTS / 2 + 1 }, (_, i) => (2 * Math.PI * i) / CIRCLE_POINTS).flatMap((angle) =>
    circle(half * Math.sin(angle), half - half * Math.cos(angle)),
  );
};
