import { COLOR_ALBEDO, SIZE_RADIUS, type ObjectAttributes, type Shape } from './attributes.ts';
import type { Vector } from './camera.ts';
import { cosSinDegrees } from './portable-math.ts';

/** An object with its pose in world coordinates. */
export interface PlacedObject extends ObjectAttributes {
  /** Center, in scene units. */
  readonly position: Vector;
  /** Angle about the vertical axis, in degrees. */
  readonly rotation: number;
}

/** Half the extent along z. CLEVR's size is the diagonal of a cube's base, so its edge is shorter. */
export const halfHeight = ({ shape, size }: Pick<ObjectAttributes, 'shape' | 'size'>): number =>
  shape === 'cube' ? SIZE_RADIUS[size] / Math.SQRT2 : SIZE_RADIUS[size];

const KIND: Readonly<Record<Shape, number>> = { sphere: 0, cube: 1, cylinder: 2 };
/** Normals are bent within this fraction of the half extent, which makes edges look rounded. */
const BEVEL = 0.14;

/**
 * Objects of a scene as flat arrays, with analytic ray intersection. All three solids are convex, so a ray intersects each
 * in one interval [tNear, tFar].
 */
export class Solids {
  readonly count: number;
  readonly kind: Int32Array;
  readonly cx: Float64Array;
  readonly cy: Float64Array;
  readonly cz: Float64Array;
  /** Radius of a sphere or cylinder, half the edge of a cube. */
  readonly half: Float64Array;
  /** Radius of the bounding sphere. */
  readonly bound: Float64Array;
  private readonly cos: Float64Array;
  private readonly sin: Float64Array;
  /** Linear RGB reflectances, three values per object. */
  readonly albedo: Float64Array;
  readonly metal: Uint8Array;
  /** Result of the last successful `hit`: tNear and tFar. */
  readonly interval: Float64Array = new Float64Array(2);

  constructor(objects: readonly PlacedObject[]) {
    const n = objects.length;
    this.count = n;
    this.kind = new Int32Array(n);
    this.cx = new Float64Array(n);
    this.cy = new Float64Array(n);
    this.cz = new Float64Array(n);
    this.half = new Float64Array(n);
    this.bound = new Float64Array(n);
    this.cos = new Float64Array(n);
    this.sin = new Float64Array(n);
    this.albedo = new Float64Array(3 * n);
    this.metal = new Uint8Array(n);
    objects.forEach((object, i) => {
      this.kind[i] = KIND[object.shape];
      [this.cx[i], this.cy[i], this.cz[i]] = object.position;
      const half = halfHeight(object);
      this.half[i] = half;
      this.bound[i] = half * [1, Math.sqrt(3), Math.SQRT2][this.kind[i]]!;
      [this.cos[i], this.sin[i]] = cosSinDegrees(object.rotation);
      COLOR_ALBEDO[object.color].forEach((value, channel) => {
        this.albedo[3 * i + channel] = value;
      });
      this.metal[i] = object.material === 'metal' ? 1 : 0;
    });
  }

  /**
   * Whether the ray o + t·d (d of any length) intersects object i at some t in (tMin, tMax). If so, tNear and tFar are
   * stored in `interval`.
   */
  hit(
    i: number,
    ox: number,
    oy: number,
    oz: number,
    dx: number,
    dy: number,
    dz: number,
    tMin: number,
    tMax: number,
  ): boolean {
    const px = ox - this.cx[i]!;
    const py = oy - this.cy[i]!;
    const pz = oz - this.cz[i]!;
    const r = this.half[i]!;
    const kind = this.kind[i]!;
    let near: number;
    let far: number;
    if (kind === 0) {
      const a = dx * dx + dy * dy + dz * dz;
      const b = px * dx + py * dy + pz * dz;
      const c = px * px + py * py + pz * pz - r * r;
      const root = b * b - a * c;
      if (root <= 0) return false;
      const s = Math.sqrt(root);
      near = (-b - s) / a;
      far = (-b + s) / a;
    } else {
      // Cubes and cylinders lie between two horizontal planes.
      if (dz === 0) {
        if (pz > r || pz < -r) return false;
        near = -Infinity;
        far = Infinity;
      } else {
        const t1 = (-r - pz) / dz;
        const t2 = (r - pz) / dz;
        near = t1 < t2 ? t1 : t2;
        far = t1 < t2 ? t2 : t1;
      }
      if (far <= tMin || near >= tMax) return false;
      if (kind === 2) {
        const a = dx * dx + dy * dy;
        const b = px * dx + py * dy;
        const c = px * px + py * py - r * r;
        if (a === 0) {
          if (c >= 0) return false;
        } else {
          const root = b * b - a * c;
          if (root <= 0) return false;
          const s = Math.sqrt(root);
          const t1 = (-b - s) / a;
          const t2 = (-b + s) / a;
          if (t1 > near) near = t1;
          if (t2 < far) far = t2;
        }
      } else {
        const cos = this.cos[i]!;
        const sin = this.sin[i]!;
        const qx = px * cos + py * sin;
        const ex = dx * cos + dy * sin;
        if (ex === 0) {
          if (qx >= r || qx <= -r) return false;
        } else {
          const t1 = (-r - qx) / ex;
          const t2 = (r - qx) / ex;
          const low = t1 < t2 ? t1 : t2;
          const high = t1 < t2 ? t2 : t1;
          if (low > near) near = low;
          if (high < far) far = high;
        }
        const qy = py * cos - px * sin;
        const ey = dy * cos - dx * sin;
        if (ey === 0) {
          if (qy >= r || qy <= -r) return false;
        } else {
          const t1 = (-r - qy) / ey;
          const t2 = (r - qy) / ey;
          const low = t1 < t2 ? t1 : t2;
          const high = t1 < t2 ? t2 : t1;
          if (low > near) near = low;
          if (high < far) far = high;
        }
      }
    }
    if (near >= far || far <= tMin || near >= tMax) return false;
    this.interval[0] = near;
    this.interval[1] = far;
    return true;
  }

  /** Stores the outward unit normal at a surface point of object i in `out`, bent near edges so that they catch light. */
  normal(i: number, x: number, y: number, z: number, out: Float64Array): void {
    const px = x - this.cx[i]!;
    const py = y - this.cy[i]!;
    const pz = z - this.cz[i]!;
    const r = this.half[i]!;
    const kind = this.kind[i]!;
    let nx: number;
    let ny: number;
    let nz: number;
    if (kind === 0) {
      nx = px;
      ny = py;
      nz = pz;
    } else if (kind === 2) {
      const rho = Math.sqrt(px * px + py * py);
      const side = rho > 0 ? edgeWeight(rho / r) / rho : 0;
      nx = px * side;
      ny = py * side;
      nz = pz < 0 ? -edgeWeight(-pz / r) : edgeWeight(pz / r);
    } else {
      const cos = this.cos[i]!;
      const sin = this.sin[i]!;
      const qx = (px * cos + py * sin) / r;
      const qy = (py * cos - px * sin) / r;
      const qz = pz / r;
      const ux = qx < 0 ? -edgeWeight(-qx) : edgeWeight(qx);
      const uy = qy < 0 ? -edgeWeight(-qy) : edgeWeight(qy);
      nx = ux * cos - uy * sin;
      ny = ux * sin + uy * cos;
      nz = qz < 0 ? -edgeWeight(-qz) : edgeWeight(qz);
    }
    const length = Math.sqrt(nx * nx + ny * ny + nz * nz);
    out[0] = nx / length;
    out[1] = ny / length;
    out[2] = nz / length;
  }
}

/** Weight of an axis in the normal, by the relative coordinate along it in [0, 1]: 1 on the face, 0 away from the edge. */
const edgeWeight = (relative: number): number => {
  const t = (relative - (1 - BEVEL)) / BEVEL;
  return t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t);
};
