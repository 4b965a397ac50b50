import { FALLOFF, type Light } from './lights.ts';
import { integerPower } from './portable-math.ts';
import { Shadows } from './shadows.ts';
import type { Solids } from './solids.ts';

/** Sample counts of the renderer. */
export interface RenderQuality {
  /** Points per lamp for soft shadows. */
  readonly shadowSamples: number;
  /** Additional rays per pixel at edges; elsewhere one ray is cast. */
  readonly edgeSamples: number;
}

/** Gray levels of the ground, and of the backdrop into which it fades with distance. */
const GROUND = 0.46;
const BACKDROP = 0.52;
const FADE_START = 6;
const FADE_END = 34;

/** Ambient light from the sky, and reflected by the ground. */
const SKY = 0.17;
const BOUNCE = 0.16;

const METAL_DIFFUSE = 0.2;
const SOFT_BOX = 3.2;

/**
 * Computes the light that a point reflects toward the camera. Results are stored in `r`, `g`, `b` (linear, 1 is white), so
 * that shading a pixel allocates nothing.
 */
export class Shading {
  r = 0;
  g = 0;
  b = 0;
  private readonly shadows: Shadows;
  private readonly reflectionShadows: Shadows;
  private readonly n = new Float64Array(3);

  constructor(
    private readonly solids: Solids,
    private readonly lights: readonly Light[],
    { shadowSamples }: RenderQuality,
  ) {
    this.shadows = new Shadows(solids, lights, shadowSamples);
    this.reflectionShadows = new Shadows(solids, lights, Math.max(4, shadowSamples >> 2));
  }

  /** Shades the ground or the backdrop, seen from o along the unit direction d. */
  ground(ox: number, oy: number, oz: number, dx: number, dy: number, dz: number, isReflection: boolean): void {
    if (dz > -1e-6) {
      this.sky(dz);
      return;
    }
    const t = -oz / dz;
    const x = ox + t * dx;
    const y = oy + t * dy;
    const far = Math.sqrt(x * x + y * y);
    const fade = smoothstep((far - FADE_START) / (FADE_END - FADE_START));
    if (fade >= 1) {
      this.sky(dz);
      return;
    }
    this.collect(x, y, 0, 0, 0, 1, -1, isReflection);
    // Objects occlude part of the sky near their base, and tint the ground a little.
    const { solids } = this;
    let open = 1;
    let tintR = 0;
    let tintG = 0;
    let tintB = 0;
    for (let i = 0; i < solids.count; i++) {
      const cx = solids.cx[i]! - x;
      const cy = solids.cy[i]! - y;
      const cz = solids.cz[i]!;
      const distance2 = cx * cx + cy * cy + cz * cz;
      const radius = solids.half[i]! * (solids.kind[i] === 0 ? 1 : 1.12);
      if (distance2 > radius * radius * 60) continue;
      const occlusion = Math.min(1, (cz * radius * radius) / (distance2 * Math.sqrt(distance2)));
      open *= 1 - 0.9 * occlusion;
      tintR += occlusion * solids.albedo[3 * i]!;
      tintG += occlusion * solids.albedo[3 * i + 1]!;
      tintB += occlusion * solids.albedo[3 * i + 2]!;
    }
    const direct = 0.45 + 0.55 * open; // contact shadows also in direct light
    const r = GROUND * (this.r * direct + SKY * open + 0.22 * tintR);
    const g = GROUND * (this.g * direct + SKY * open + 0.22 * tintG);
    const b = GROUND * (this.b * direct + SKY * open + 0.22 * tintB);
    this.sky(dz);
    this.r = r + (this.r - r) * fade;
    this.g = g + (this.g - g) * fade;
    this.b = b + (this.b - b) * fade;
  }

  private sky(dz: number): void {
    const level = BACKDROP * (1 - 0.85 * smoothstep(1.7 * dz)); // dark overhead, which darkens the tops of metal objects
    this.r = level;
    this.g = level;
    this.b = level * 1.02;
  }

  /** Shades point p of object i, seen along the unit direction d. */
  object(
    i: number,
    px: number,
    py: number,
    pz: number,
    dx: number,
    dy: number,
    dz: number,
    isReflection: boolean,
  ): void {
    const { solids, n } = this;
    solids.normal(i, px, py, pz, n);
    const nx = n[0]!;
    const ny = n[1]!;
    const nz = n[2]!;
    const cos = Math.max(0, -(dx * nx + dy * ny + dz * nz));
    const reflectedX = dx + 2 * cos * nx;
    const reflectedY = dy + 2 * cos * ny;
    const reflectedZ = dz + 2 * cos * nz;
    this.collect(px, py, pz, nx, ny, nz, i, isReflection);
    const ambient = this.ambient(i, px, py, pz, nx, ny, nz);
    const ar = solids.albedo[3 * i]!;
    const ag = solids.albedo[3 * i + 1]!;
    const ab = solids.albedo[3 * i + 2]!;
    const metal = solids.metal[i] === 1;
    const diffuse = metal ? METAL_DIFFUSE : 1;
    let r = ar * diffuse * (this.r + ambient);
    let g = ag * diffuse * (this.g + ambient);
    let b = ab * diffuse * (this.b + ambient);
    const grazing = integerPower(1 - cos, 5);
    if (!metal) {
      const sheen = this.sheen(px, py, pz, reflectedX, reflectedY, reflectedZ) * 0.05 + 0.1 * grazing * ambient;
      this.r = r + sheen;
      this.g = g + sheen;
      this.b = b + sheen;
      return;
    }
    // Colored metals reflect their color at normal incidence and all colors at grazing angles (Schlick).
    const fr = specularTint(ar) + (1 - specularTint(ar)) * grazing;
    const fg = specularTint(ag) + (1 - specularTint(ag)) * grazing;
    const fb = specularTint(ab) + (1 - specularTint(ab)) * grazing;
    if (isReflection) {
      this.sky(reflectedZ);
    } else {
      this.trace(px, py, pz, reflectedX, reflectedY, reflectedZ, i);
    }
    r += fr * this.r;
    g += fg * this.g;
    b += fb * this.b;
    this.r = r;
    this.g = g;
    this.b = b;
  }

  /** Traces the reflection from p on object `self` along d: other objects, lamps, ground. */
  private trace(px: number, py: number, pz: number, dx: number, dy: number, dz: number, self: number): void {
    const { solids } = this;
    let nearest = Infinity;
    let which = -1;
    for (let i = 0; i < solids.count; i++) {
      if (i !== self && solids.hit(i, px, py, pz, dx, dy, dz, 1e-4, nearest)) {
        nearest = solids.interval[0]!;
        which = i;
      }
    }
    if (which >= 0) {
      this.object(which, px + nearest * dx, py + nearest * dy, pz + nearest * dz, dx, dy, dz, true);
      return;
    }
    this.ground(px, py, pz, dx, dy, dz, true);
    if (dz <= 0) return;
    const glow = this.softBoxes(px, py, pz, dx, dy, dz);
    this.r += glow;
    this.g += glow;
    this.b += glow;
  }

  /** Reflections of the lamps: bright squares with soft edges. */
  private softBoxes(px: number, py: number, pz: number, dx: number, dy: number, dz: number): number {
    let glow = 0;
    for (const { position, axis, sideU, sideV } of this.lights) {
      const facing = -(dx * axis[0] + dy * axis[1] + dz * axis[2]);
      if (facing <= 0.05) continue;
      const lx = position[0] - px;
      const ly = position[1] - py;
      const lz = position[2] - pz;
      const t = -(lx * axis[0] + ly * axis[1] + lz * axis[2]) / facing;
      if (t <= 0) continue;
      const qx = t * dx - lx;
      const qy = t * dy - ly;
      const qz = t * dz - lz;
      const size2 = sideU[0] * sideU[0] + sideU[1] * sideU[1] + sideU[2] * sideU[2];
      const u = Math.abs(qx * sideU[0] + qy * sideU[1] + qz * sideU[2]) / size2;
      const v = Math.abs(qx * sideV[0] + qy * sideV[1] + qz * sideV[2]) / size2;
      glow += SOFT_BOX * smoothstep((1.35 - u) / 0.6) * smoothstep((1.35 - v) / 0.6);
    }
    return glow;
  }

  /** Broad, weak highlight of matte surfaces. */
  private sheen(px: number, py: number, pz: number, mx: number, my: number, mz: number): number {
    let sum = 0;
    for (const { position } of this.lights) {
      const lx = position[0] - px;
      const ly = position[1] - py;
      const lz = position[2] - pz;
      const cos = (lx * mx + ly * my + lz * mz) / Math.sqrt(lx * lx + ly * ly + lz * lz);
      if (cos > 0) sum += integerPower(cos, 12);
    }
    return sum;
  }

  /** Ambient light from sky and ground, reduced by occlusion through neighboring objects. */
  private ambient(self: number, px: number, py: number, pz: number, nx: number, ny: number, nz: number): number {
    const { solids } = this;
    const upward = 0.5 + 0.5 * nz;
    let level = BOUNCE * (1 - upward) * (0.35 + 0.65 * Math.min(1, pz / (2 * solids.half[self]!))) + SKY * upward;
    for (let i = 0; i < solids.count; i++) {
      if (i === self) continue;
      const cx = solids.cx[i]! - px;
      const cy = solids.cy[i]! - py;
      const cz = solids.cz[i]! - pz;
      const distance2 = cx * cx + cy * cy + cz * cz;
      const radius2 = solids.half[i]! * solids.half[i]!;
      if (distance2 > radius2 * 60) continue;
      const facing = (cx * nx + cy * ny + cz * nz) / Math.sqrt(distance2);
      if (facing > 0) level *= 1 - Math.min(0.9, (0.9 * facing * radius2) / distance2);
    }
    return level;
  }

  /** Stores the irradiance from the lamps in r, g, b. */
  private collect(
    px: number,
    py: number,
    pz: number,
    nx: number,
    ny: number,
    nz: number,
    self: number,
    isReflection: boolean,
  ): void {
    let r = 0;
    let g = 0;
    let b = 0;
    const shadows = isReflection ? this.reflectionShadows : this.shadows;
    for (let k = 0; k < this.lights.length; k++) {
      const { position, axis, rgb } = this.lights[k]!;
      const lx = position[0] - px;
      const ly = position[1] - py;
      const lz = position[2] - pz;
      const distance2 = lx * lx + ly * ly + lz * lz;
      const distance = Math.sqrt(distance2);
      // An area light reaches a little beyond the terminator.
      const cos = ((lx * nx + ly * ny + lz * nz) / distance + 0.08) / 1.08;
      if (cos <= 0) continue;
      const emitted = -(lx * axis[0] + ly * axis[1] + lz * axis[2]) / distance;
      const level =
        (cos * (0.4 + 0.6 * emitted) * shadows.visibleFraction(k, px, py, pz, self)) / (distance2 + FALLOFF);
      r += rgb[0] * level;
      g += rgb[1] * level;
      b += rgb[2] * level;
    }
    this.r = r;
    this.g = g;
    this.b = b;
  }
}

const specularTint = (albedo: number): number => 0.03 + 0.97 * albedo;

const smoothstep = (t: number): number => (t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t));
