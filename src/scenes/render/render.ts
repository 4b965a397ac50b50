import type { RawImage } from '../../data/images/raw-image.ts';
import { focalLength, type Camera } from './camera.ts';
import type { Light } from './lights.ts';
import { linearToSrgb } from './portable-math.ts';
import { Shading, type RenderQuality } from './shading.ts';
import type { Solids } from './solids.ts';
import type { InstanceMap } from './visibility.ts';

/** Pixels that differ from a neighbor by more than this get more rays. Display values in [0, 1]. */
const EDGE_CONTRAST = 0.035;
const EXPOSURE = 0.84;

/** Renders a scene with one ray through each pixel's center, and several at edges. */
export const render = (
  camera: Camera,
  solids: Solids,
  lights: readonly Light[],
  map: InstanceMap,
  quality: RenderQuality,
): RawImage => {
  const { width, height, ids, depth } = map;
  const shading = new Shading(solids, lights, quality);
  const rays = new Rays(camera, solids, shading, width, height);
  const pixels = new Float32Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      rays.shade(x + 0.5, y + 0.5, ids[at]! - 1, depth[at]!);
      pixels[3 * at] = display(shading.r);
      pixels[3 * at + 1] = display(shading.g);
      pixels[3 * at + 2] = display(shading.b);
    }
  }
  const data = new Uint8Array(3 * width * height);
  const offsets = subpixels(quality.edgeSamples);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      let r = pixels[3 * at]!;
      let g = pixels[3 * at + 1]!;
      let b = pixels[3 * at + 2]!;
      if (isEdge(pixels, ids, width, height, x, y)) {
        for (let s = 0; s < offsets.length; s += 2) {
          const sx = x + offsets[s]!;
          const sy = y + offsets[s + 1]!;
          const which = rays.nearest(sx, sy, x, y, map);
          rays.shade(sx, sy, which, rays.nearestDepth);
          r += display(shading.r);
          g += display(shading.g);
          b += display(shading.b);
        }
        const weight = 1 / (1 + offsets.length / 2);
        r *= weight;
        g *= weight;
        b *= weight;
      }
      data[3 * at] = toByte(r);
      data[3 * at + 1] = toByte(g);
      data[3 * at + 2] = toByte(b);
    }
  }
  return { width, height, channels: 3, data };
};

/** Casts rays through the image plane. */
class Rays {
  nearestDepth = Infinity;
  private readonly f: number;
  private dx = 0;
  private dy = 0;
  private dz = 0;

  constructor(
    private readonly camera: Camera,
    private readonly solids: Solids,
    private readonly shading: Shading,
    private readonly width: number,
    private readonly height: number,
  ) {
    this.f = focalLength(width, height);
  }

  /** Computes the color of the ray through (x, y) into `shading`: of object `which` at `depth`, or of the ground for −1. */
  shade(x: number, y: number, which: number, depth: number): void {
    this.aim(x, y);
    const [ox, oy, oz] = this.camera.position;
    const inverse = 1 / Math.sqrt(this.dx * this.dx + this.dy * this.dy + this.dz * this.dz);
    const dx = this.dx * inverse;
    const dy = this.dy * inverse;
    const dz = this.dz * inverse;
    if (which < 0) {
      this.shading.ground(ox, oy, oz, dx, dy, dz, false);
    } else {
      const px = ox + depth * this.dx;
      const py = oy + depth * this.dy;
      const pz = oz + depth * this.dz;
      this.shading.object(which, px, py, pz, dx, dy, dz, false);
    }
  }

  /** Index of the first object hit by the ray through (x, y), a point in pixel (column, row); −1 for none. */
  nearest(x: number, y: number, column: number, row: number, { bounds }: InstanceMap): number {
    this.aim(x, y);
    const [ox, oy, oz] = this.camera.position;
    const { solids } = this;
    let which = -1;
    this.nearestDepth = Infinity;
    for (let i = 0; i < solids.count; i++) {
      if (column < bounds[4 * i]! || column >= bounds[4 * i + 2]!) continue;
      if (row < bounds[4 * i + 1]! || row >= bounds[4 * i + 3]!) continue;
      if (solids.hit(i, ox, oy, oz, this.dx, this.dy, this.dz, 0, this.nearestDepth)) {
        this.nearestDepth = solids.interval[0]!;
        which = i;
      }
    }
    return which;
  }

  private aim(x: number, y: number): void {
    const { forward, right, up } = this.camera;
    const u = (x - this.width / 2) / this.f;
    const v = (this.height / 2 - y) / this.f;
    this.dx = forward[0] + u * right[0] + v * up[0];
    this.dy = forward[1] + u * right[1] + v * up[1];
    this.dz = forward[2] + u * right[2] + v * up[2];
  }
}

const isEdge = (
  pixels: Float32Array,
  ids: Uint8Array,
  width: number,
  height: number,
  x: number,
  y: number,
): boolean => {
  const at = y * width + x;
  const differs = (other: number): boolean =>
    ids[other] !== ids[at] ||
    Math.abs(pixels[3 * other]! - pixels[3 * at]!) > EDGE_CONTRAST ||
    Math.abs(pixels[3 * other + 1]! - pixels[3 * at + 1]!) > EDGE_CONTRAST ||
    Math.abs(pixels[3 * other + 2]! - pixels[3 * at + 2]!) > EDGE_CONTRAST;
  return (
    (x > 0 && differs(at - 1)) ||
    (x + 1 < width && differs(at + 1)) ||
    (y > 0 && differs(at - width)) ||
    (y + 1 < height && differs(at + width))
  );
};

/** Sample positions within a pixel: a Hammersley set, offset from the center, where the first ray was cast. */
const subpixels = (count: number): Float64Array => {
  const offsets = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    let inverse = 0;
    let digit = 0.5;
    for (let bits = i; bits > 0; bits >>= 1, digit /= 2) if (bits & 1) inverse += digit;
    offsets[2 * i] = (i + 0.5) / count;
    offsets[2 * i + 1] = inverse + 0.5 / count;
  }
  return offsets;
};

const CURVE_STEPS = 4096;
/** Tone curve (exposure, soft shoulder above 0.75, sRGB), tabulated over [0, 2] in equal steps of the square root. */
const CURVE = Float32Array.from({ length: CURVE_STEPS + 1 }, (_, i) => {
  const root = (i / CURVE_STEPS) * Math.SQRT2;
  const x = root * root * EXPOSURE;
  const knee = 0.75;
  const rolled = x < knee ? x : knee + (1 - knee) * (1 - 1 / (1 + (x - knee) / (1 - knee)));
  return linearToSrgb(Math.min(1, rolled));
});

/** Converts linear light to a display value in [0, 1]. */
const display = (x: number): number => {
  const position = Math.sqrt(Math.min(2, Math.max(0, x)) / 2) * CURVE_STEPS;
  return CURVE[Math.floor(position + 0.5)]!;
};

const toByte = (x: number): number => Math.floor(255 * x + 0.5);
