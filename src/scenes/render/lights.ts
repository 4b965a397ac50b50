import { add, cross, dot, normalize, scale, subtract, type Vector } from './camera.ts';
import type { Random } from '../../random/random.ts';

/** A square lamp that faces the middle of the scene. */
export interface Light {
  readonly position: Vector;
  /** Where it shines, of unit length. */
  readonly axis: Vector;
  /** Half edges: the lamp is position + u·sideU + v·sideV with u and v in [−1, 1]. */
  readonly sideU: Vector;
  readonly sideV: Vector;
  readonly rgb: Vector;
}

interface LampModel {
  readonly position: Vector;
  readonly halfSize: number;
  /** Irradiance that the lamp alone gives the middle of the ground. */
  readonly strength: number;
  readonly tint: Vector;
}

/** Key, fill and back light, placed about as in CLEVR but somewhat higher, which keeps shadows off the neighbours. */
const LAMPS: readonly LampModel[] = [
  { position: [6.2, -2.6, 6.6], halfSize: 0.75, strength: 0.72, tint: [1.03, 1, 0.95] },
  { position: [-4.9, -4.6, 5.6], halfSize: 1.1, strength: 0.34, tint: [0.97, 1, 1.05] },
  { position: [-1.4, 4.2, 7.2], halfSize: 0.8, strength: 0.34, tint: [1, 1, 1] },
];
/** Largest displacement of a lamp along each axis, as in CLEVR. */
const POSITION_JITTER = 1;

/** Light falls off as 1 / (distance² + FALLOFF): gentler than a real lamp's, so that the ground is evenly lit. */
export const FALLOFF = 50;

export const sampleLights = (random: Random): readonly Light[] =>
  LAMPS.map(({ position: base, halfSize, strength, tint }) => {
    const jitter = (): number => random.between(-POSITION_JITTER, POSITION_JITTER);
    const position = add(base, [jitter(), jitter(), jitter()]);
    const axis = normalize(subtract([0, 0, 0], position));
    const sideU = scale(normalize(cross(axis, [0, 0, 1])), halfSize);
    const sideV = cross(axis, sideU);
    // Jitter moves lamps without changing how bright they make the middle.
    const rgb = scale(tint, (strength * (dot(position, position) + FALLOFF)) / -axis[2]);
    return { position, axis, sideU, sideV, rgb };
  });
