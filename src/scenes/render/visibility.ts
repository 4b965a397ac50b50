import { focalLength, project, type Camera } from './camera.ts';
import type { Solids } from './solids.ts';

/** Pixel bounds, xyxy. x1 and y1 are one past the last pixel, so the width is x1 − x0. */
export type Box = readonly [x0: number, y0: number, x1: number, y1: number];

/**
 * Instance map of an image: the first object that the ray through each pixel's center hits. Masks, boxes and visible
 * fractions are all derived from this map and are therefore consistent.
 */
export interface InstanceMap {
  readonly width: number;
  readonly height: number;
  /** (height, width), row-major: 0 is the ground, i + 1 is object i. */
  readonly ids: Uint8Array;
  /** (height, width): depth along the optical axis; Infinity on the ground. */
  readonly depth: Float64Array;
  /** Number of visible pixels per object. */
  readonly visible: Int32Array;
  /** Number of pixels per object that would be visible without other objects, within the image. */
  readonly alone: Int32Array;
  /** (objects, 4): bounds of the visible pixels, xyxy. All 0 if none is visible. */
  readonly boxes: Int32Array;
  /** (objects, 4): bounds that are guaranteed to contain the silhouette, xyxy, clipped to the image. */
  readonly bounds: Int32Array;
  /** 1 for objects whose silhouette may extend beyond the image. */
  readonly clipped: Uint8Array;
}

/** Computes the instance map of a scene. */
export const mapInstances = (camera: Camera, solids: Solids, width: number, height: number): InstanceMap => {
  const n = solids.count;
  const map = {
    width,
    height,
    ids: new Uint8Array(width * height),
    depth: new Float64Array(width * height).fill(Infinity),
    visible: new Int32Array(n),
    alone: new Int32Array(n),
    boxes: new Int32Array(4 * n),
    bounds: new Int32Array(4 * n),
    clipped: new Uint8Array(n),
  };
  const f = focalLength(width, height);
  const [ox, oy, oz] = camera.position;
  const [fx, fy, fz] = camera.forward;
  const [rx, ry, rz] = camera.right;
  const [ux, uy, uz] = camera.up;
  for (let i = 0; i < n; i++) {
    screenBounds(camera, solids, i, map);
    const x1 = map.bounds[4 * i + 2]!;
    const y1 = map.bounds[4 * i + 3]!;
    for (let y = map.bounds[4 * i + 1]!; y < y1; y++) {
      const v = (height / 2 - (y + 0.5)) / f;
      for (let x = map.bounds[4 * i]!; x < x1; x++) {
        const u = (x + 0.5 - width / 2) / f;
        const dx = fx + u * rx + v * ux;
        const dy = fy + u * ry + v * uy;
        const dz = fz + u * rz + v * uz;
        if (!solids.hit(i, ox, oy, oz, dx, dy, dz, 0, Infinity)) continue;
        map.alone[i]!++;
        const at = y * width + x;
        if (solids.interval[0]! < map.depth[at]!) {
          map.depth[at] = solids.interval[0]!;
          map.ids[at] = i + 1;
        }
      }
    }
  }
  measure(map);
  return map;
};

/** Bounds of the bounding sphere's projection (tangent cone), slightly too large away from the optical axis. */
const screenBounds = (camera: Camera, solids: Solids, i: number, map: InstanceMap): void => {
  const { width, height } = map;
  const center = [solids.cx[i]!, solids.cy[i]!, solids.cz[i]!] as const;
  const [x, y, depth] = project(camera, center, width, height);
  const f = focalLength(width, height);
  const u = (x - width / 2) / f;
  const v = (y - height / 2) / f;
  const radius = solids.bound[i]!;
  // The projection of a sphere is an ellipse; this is an upper bound of its extent from the projected center.
  const stretch = Math.sqrt(1 + u * u + v * v);
  const reach = (f * radius * stretch) / (depth - radius * stretch) + 1;
  const x0 = Math.floor(x - reach);
  const y0 = Math.floor(y - reach);
  const x1 = Math.ceil(x + reach);
  const y1 = Math.ceil(y + reach);
  map.clipped[i] = x0 < 0 || y0 < 0 || x1 > width || y1 > height ? 1 : 0;
  map.bounds[4 * i] = clamp(x0, width);
  map.bounds[4 * i + 1] = clamp(y0, height);
  map.bounds[4 * i + 2] = clamp(x1, width);
  map.bounds[4 * i + 3] = clamp(y1, height);
};

const clamp = (value: number, size: number): number => Math.min(Math.max(value, 0), size);

const measure = ({ ids, width, height, visible, boxes }: InstanceMap): void => {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const id = ids[y * width + x]!;
      if (id === 0) continue;
      const b = 4 * (id - 1);
      if (visible[id - 1]!++ === 0) {
        boxes[b] = x;
        boxes[b + 1] = y;
        boxes[b + 2] = x + 1;
        boxes[b + 3] = y + 1;
        continue;
      }
      if (x < boxes[b]!) boxes[b] = x;
      if (x >= boxes[b + 2]!) boxes[b + 2] = x + 1;
      boxes[b + 3] = y + 1;
    }
  }
};
