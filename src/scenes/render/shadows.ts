import type { Light } from './lights.ts';
import type { Solids } from './solids.ts';

/** Hammersley set of `count` points in the square [−1, 1]², evenly spaced along both axes, so that shadows fade evenly. */
const lampPoints = (count: number): Float64Array => {
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    let inverse = 0;
    let digit = 0.5;
    for (let bits = i; bits > 0; bits >>= 1, digit /= 2) if (bits & 1) inverse += digit;
    points[2 * i] = (2 * (i + 0.5)) / count - 1;
    points[2 * i + 1] = 2 * inverse - 1 + 1 / count;
  }
  return points;
};

/**
 * Computes soft shadows: the fraction of a lamp that is visible from a point. Objects that cannot occlude any part of the
 * lamp are discarded first (cone against bounding spheres), which decides most points without a ray. A single convex
 * object that occludes all four corners of the lamp occludes all of it. Only the remaining cases are sampled.
 */
export class Shadows {
  private readonly points: Float64Array;
  private readonly reach: Float64Array;
  private readonly candidates: Int32Array;

  constructor(
    private readonly solids: Solids,
    private readonly lights: readonly Light[],
    private readonly samples: number,
  ) {
    this.points = lampPoints(samples);
    // A square's corners are √2 half edges from its center.
    this.reach = Float64Array.from(lights, ({ sideU: [x, y, z] }) => Math.SQRT2 * Math.sqrt(x * x + y * y + z * z));
    this.candidates = new Int32Array(solids.count);
  }

  /** Visible fraction of a lamp, in [0, 1], from a point of object `self` (−1 for the ground). */
  visibleFraction(lamp: number, px: number, py: number, pz: number, self: number): number {
    const { solids } = this;
    const light = this.lights[lamp]!;
    const [lx, ly, lz] = light.position;
    const dx = lx - px;
    const dy = ly - py;
    const dz = lz - pz;
    const distance2 = dx * dx + dy * dy + dz * dz;
    const lampReach = this.reach[lamp]!;
    let found = 0;
    for (let i = 0; i < solids.count; i++) {
      if (i === self) continue;
      const cx = solids.cx[i]! - px;
      const cy = solids.cy[i]! - py;
      const cz = solids.cz[i]! - pz;
      const along = (cx * dx + cy * dy + cz * dz) / distance2;
      if (along < -0.2 || along > 1) continue;
      const ex = cx - along * dx;
      const ey = cy - along * dy;
      const ez = cz - along * dz;
      const limit = solids.bound[i]! + lampReach * (along + solids.bound[i]! / 8);
      if (ex * ex + ey * ey + ez * ez < limit * limit) this.candidates[found++] = i;
    }
    if (found === 0) return 1;
    const [ux, uy, uz] = light.sideU;
    const [vx, vy, vz] = light.sideV;
    if (found === 1) {
      const i = this.candidates[0]!;
      let corners = 0;
      for (let c = 0; c < 4; c++) {
        const u = c & 1 ? 1 : -1;
        const v = c & 2 ? 1 : -1;
        const rx = dx + u * ux + v * vx;
        const ry = dy + u * uy + v * vy;
        const rz = dz + u * uz + v * vz;
        if (!solids.hit(i, px, py, pz, rx, ry, rz, 1e-4, 1)) break;
        corners++;
      }
      if (corners === 4) return 0;
    }
    let hidden = 0;
    for (let s = 0; s < this.samples; s++) {
      const u = this.points[2 * s]!;
      const v = this.points[2 * s + 1]!;
      const rx = dx + u * ux + v * vx;
      const ry = dy + u * uy + v * vy;
      const rz = dz + u * uz + v * vz;
      for (let k = 0; k < found; k++) {
        if (solids.hit(this.candidates[k]!, px, py, pz, rx, ry, rz, 1e-4, 1)) {
          hidden++;
          break;
        }
      }
    }
    return 1 - hidden / this.samples;
  }
}
