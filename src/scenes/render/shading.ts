import { FALLOFF, type Light } from './lights.ts';
import { wholePower } from './portable-math.ts';
import { Shadows } from './shadows.ts';
import type { Solids } from './solids.ts';

/** How much work a picture is worth. */
export interface RenderQuality {
  /** Lamp points per soft shadow. */
  readonly shadowSamples: number;
  /** Rays per pixel where the picture has an edge; elsewhere one ray is enough. */
  readonly edgeSamples: number;
}

/** Grey of the ground, and of the backdrop into which it fades far behind. */
const GROUND = 0.46;
const BACKDROP = 0.52;
const FADE_START = 6;
const FADE_END = 34;

/** Light from everywhere: from above, and what the ground throws back. */
const SKY = 0.17;
const BOUNCE = 0.16;

const METAL_DIFFUSE = 0.2;
const SOFT_BOX = 3.2;

/**
 * Light that leaves a point towards the eye. Results are left in `r`, `g`, `b` (linear, 1 is white), so that no pixel
 * allocates anything.
 */
export class Shading {
  r = 0;
  g = 0;
  b = 0;
  private readonly shadows: Shadows;
  private readonly mirrorShadows: Shadows;
  private readonly n = new Float64Array(3);

  constructor(
    private readonly solids: Solids,
    private readonly lights: readonly Light[],
    { shadowSamples }: RenderQuality,
  ) {
    this.shadows = new Shadows(solids, lights, shadowSamples);
    this.mirrorShadows = new Shadows(solids, lights, Math.max(4, shadowSamples >> 2));
  }

  /** The ground or the backdrop, seen from o along the unit direction d. */
  ground(ox: number, oy: number, oz: number, dx: number, dy: number, dz: number, isFlipped: boolean): void {
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
    this.collect(x, y, 0, 0, 0, 1, -1, isFlipped);
    // Objects stand on the ground: they hide part of the sky there, and tint it a little.
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
      const share = Math.min(1, (cz * radius * radius) / (distance2 * Math.sqrt(distance2)));
      open *= 1 - 0.9 * share;
      tintR += share * solids.albedo[3 * i]!;
      tintG += share * solids.albedo[3 * i + 1]!;
      tintB += share * solids.albedo[3 * i + 2]!;
    }
    const direct = 0.45 + 0.55 * open; // contact shadows also where lamps reach
    const r = GROUND * (this.r * direct + SKY * open + 0.22 * tintR);
    const g = GROUND * (this.g * direct + SKY * open + 0.22 * tintG);
    const b = GROUND * (this.b * direct + SKY * open + 0.22 * tintB);
    this.sky(dz);
    this.r = r + (this.r - r) * fade;
    this.g = g + (this.g - g) * fade;
    this.b = b + (this.b - b) * fade;
  }

  private sky(dz: number): void {
    const level = BACKDROP * (1 - 0.85 * smoothstep(1.7 * dz)); // dark overhead: the tops of metal things are dark
    this.r = level;
    this.g = level;
    this.b = level * 1.02;
  }

  /** Object i at p, seen along the unit direction d. */
  object(i: number, px: number, py: number, pz: number, dx: number, dy: number, dz: number, isFlipped: boolean): void {
    const { solids, n } = this;
    solids.normal(i, px, py, pz, n);
    const nx = n[0]!;
    const ny = n[1]!;
    const nz = n[2]!;
    const cos = Math.max(0, -(dx * nx + dy * ny + dz * nz));
    const mirrorX = dx + 2 * cos * nx;
    const mirrorY = dy + 2 * cos * ny;
    const mirrorZ = dz + 2 * cos * nz;
    this.collect(px, py, pz, nx, ny, nz, i, isFlipped);
    const ambient = this.ambient(i, px, py, pz, nx, ny, nz);
    const ar = solids.albedo[3 * i]!;
    const ag = solids.albedo[3 * i + 1]!;
    const ab = solids.albedo[3 * i + 2]!;
    const metal = solids.metal[i] === 1;
    const diffuse = metal ? METAL_DIFFUSE : 1;
    let r = ar * diffuse * (this.r + ambient);
    let g = ag * diffuse * (this.g + ambient);
    let b = ab * diffuse * (this.b + ambient);
    const grazing = wholePower(1 - cos, 5);
    if (!metal) {
      const sheen = this.sheen(px, py, pz, mirrorX, mirrorY, mirrorZ) * 0.05 + 0.1 * grazing * ambient;
      this.r = r + sheen;
      this.g = g + sheen;
      this.b = b + sheen;
      return;
    }
    // Coloured metals reflect their colour face on and everything at grazing angles (Schlick).
    const fr = mirrorTint(ar) + (1 - mirrorTint(ar)) * grazing;
    const fg = mirrorTint(ag) + (1 - mirrorTint(ag)) * grazing;
    const fb = mirrorTint(ab) + (1 - mirrorTint(ab)) * grazing;
    if (isFlipped) {
      this.sky(mirrorZ);
    } else {
      this.trace(px, py, pz, mirrorX, mirrorY, mirrorZ, i);
    }
    r += fr * this.r;
    g += fg * this.g;
    b += fb * this.b;
    this.r = r;
    this.g = g;
    this.b = b;
  }

  /** What a mirror at p on object `self` shows along d: other objects, lamps, ground. */
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

  /** The lamps as a mirror shows them: bright squares with soft rims. */
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

  /** A broad, weak highlight of matte surfaces. */
  private sheen(px: number, py: number, pz: number, mx: number, my: number, mz: number): number {
    let sum = 0;
    for (const { position } of this.lights) {
      const lx = position[0] - px;
      const ly = position[1] - py;
      const lz = position[2] - pz;
      const cos = (lx * mx + ly * my + lz * mz) / Math.sqrt(lx * lx + ly * ly + lz * lz);
      if (cos > 0) sum += wholePower(cos, 12);
    }
    return sum;
  }

  /** Light that does not come from the lamps: sky above, ground below, less what neighbours hide. */
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

  /** Irradiance from the lamps, into r, g, b. */
  private collect(
    px: number,
    py: number,
    pz: number,
    nx: number,
    ny: number,
    nz: number,
    self: number,
    isFlipped: boolean,
  ): void {
    let r = 0;
    let g = 0;
    let b = 0;
    const shadows = isFlipped ? this.mirrorShadows : this.shadows;
    for (let k = 0; k < this.lights.length; k++) {
      const { position, axis, rgb } = this.lights[k]!;
      const lx = position[0] - px;
      const ly = position[1] - py;
      const lz = position[2] - pz;
      const distance2 = lx * lx + ly * ly + lz * lz;
      const distance = Math.sqrt(distance2);
      // A large lamp still reaches a little beyond the terminator.
      const cos = ((lx * nx + ly * ny + lz * nz) / distance + 0.08) / 1.08;
      if (cos <= 0) continue;
      const emitted = -(lx * axis[0] + ly * axis[1] + lz * axis[2]) / distance;
      const level = (cos * (0.4 + 0.6 * emitted) * shadows.visibleShare(k, px, py, pz, self)) / (distance2 + FALLOFF);
      r += rgb[0] * level;
      g += rgb[1] * level;
      b += rgb[2] * level;
    }
    this.r = r;
    this.g = g;
    this.b = b;
  }
}

const mirrorTint = (albedo: number): number => 0.03 + 0.97 * albedo;

const smoothstep = (t: number): number => (t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t));
