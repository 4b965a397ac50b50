import { add, cross, dot, normalize, scale, subtract, type Vector } from './camera.ts';
import type { Random } from '../../random/random.ts';

/** A square area light that faces the center of the scene. */
export interface Light {
  readonly position: Vector;
  /** Unit vector in which it shines. */
  readonly axis: Vector;
  /** Half edges: the lamp is the set position + u·sideU + v·sideV for u and v in [−1, 1]. */
  readonly sideU: Vector;
  readonly sideV: Vector;
  readonly rgb: Vector;
}

interface LampModel {
  readonly position: Vector;
  readonly halfSize: number;
  /** Irradiance of this lamp at the center of the ground. */
  readonly strength: number;
  readonly tint: Vector;
}

/** Key, fill and back light, similar to CLEVR's but somewhat higher, so that objects do not shadow their neighbors. */
const LAMPS: readonly LampModel[] = [
  { position: [6.2, -2.6, 6.6], halfSize: 0.75, strength: 0.72, tint: [1.03, 1, 0.95] },
  { position: [-4.9, -4.6, 5.6], halfSize: 1.1, strength: 0.34, tint: [0.97, 1, 1.05] },
  { position: [-1.4, 4.2, 7.2], halfSize: 0.8, strength: 0.34, tint: [1, 1, 1] },
];
/** Maximum displacement of a lamp along each axis, as in CLEVR. */
const POSITION_JITTER = 1;

/** Irradiance is proportional to 1 / (distance² + FALLOFF), which lights the ground more evenly than the physical law. */
export const FALLOFF = 50;

/** Samples the three lamps near CLEVR's base positions. */
export const sampleLights = (random: Random): readonly Light[] =>
  LAMPS.map(({ position: base, halfSize, strength, tint }) => {
    const jitter = (): number => random.between(-POSITION_JITTER, POSITION_JITTER);
    const position = add(base, [jitter(), jitter(), jitter()]);
    const axis = normalize(subtract([0, 0, 0], position));
    const sideU = scale(normalize(cross(axis, [0, 0, 1])), halfSize);
    const sideV = cross(axis, sideU);
    // The irradiance at the center does not depend on the jitter.
    const rgb = scale(tint, (strength * (dot(position, position) + FALLOFF)) / -axis[2]);
    return { position, axis, sideU, sideV, rgb };
  });
