import { describe, expect, it } from 'vitest';
import { Random } from '../random/random.ts';
import type { BoxXyxy } from '../geometry/boxes.ts';
import { Tracker, type TrackableDetection } from './tracker.ts';

const FPS = 10;
const FRAMES = 100;

/** A clip of ten seconds: where each object is in a frame, as center x and y; undefined while it is out of sight. */
type Path = (frame: number) => readonly [number, number] | undefined;

interface Clip {
  readonly paths: readonly Path[];
  readonly camera: (frame: number) => readonly [number, number];
  readonly noisePx: number;
  readonly missed: number;
}

/** Fraction of the detections that have the id of their object, and the number of changes of an object's id. */
const follow = ({ paths, camera, noisePx, missed }: Clip, withAppearance: boolean) => {
  const random = Random.of(7, 'track');
  const appearance = paths.map(() => Array.from({ length: 16 }, () => random.between(-1, 1)));
  const tracker = new Tracker();
  const seen: { readonly object: number; readonly id: number }[] = [];
  for (let frame = 0; frame < FRAMES; frame++) {
    const [panX, panY] = camera(frame);
    const noise = (): number => random.between(-noisePx, noisePx);
    const visible = paths.flatMap((path, object) => {
      const at = path(frame);
      return at === undefined || random.between(0, 1) < missed ? [] : [{ object, at }];
    });
    const detections = visible.map(({ object, at: [x, y] }): TrackableDetection => {
      const [cx, cy] = [x + panX + noise(), y + panY + noise()];
      const box: BoxXyxy = [cx - 12, cy - 10, cx + 12 + noise(), cy + 10 + noise()];
      const embedding = appearance[object]!.map((value) => value + random.between(-0.3, 0.3));
      return { box, score: 0.9, phrase: 'ball', embedding: withAppearance ? embedding : undefined };
    });
    tracker.update(frame / FPS, detections).forEach((id, i) => {
      if (id !== undefined) seen.push({ object: visible[i]!.object, id });
    });
  }
  let [right, switches] = [0, 0];
  paths.forEach((_, object) => {
    const ids = seen.filter((entry) => entry.object === object).map(({ id }) => id);
    const counts = new Map<number, number>();
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    right += Math.max(...counts.values());
    switches += ids.filter((id, i) => i > 0 && id !== ids[i - 1]).length;
  });
  return { fraction: right / seen.length, switches };
};

/** Two objects cross, one leaves for ten frames and returns, one stands. */
const crossing: readonly Path[] = [
  (frame) => [20 + 1.5 * frame, 60],
  (frame) => [170 - 1.5 * frame, 66],
  (frame) => (frame >= 40 && frame < 50 ? undefined : [100, 20 + 0.2 * frame]),
  () => [150, 110],
];
const still = (): readonly [number, number] => [0, 0];

describe('Tracker', () => {
  it.each([true, false])(
    'follows crossing and returning objects under a moving camera (appearance: %s)',
    (withAppearance) => {
      const camera = (frame: number): readonly [number, number] => [25 * Math.sin(frame / 12), 8 * Math.sin(frame / 7)];
      const { fraction, switches } = follow({ paths: crossing, camera, noisePx: 1.5, missed: 0.03 }, withAppearance);
      expect(fraction).toBeGreaterThanOrEqual(0.98);
      expect(switches).toBe(0);
    },
  );

  it('has no switch without motion', () => {
    const paths = [0, 1, 2, 3].map((i) => () => [30 + 40 * i, 60] as const);
    expect(follow({ paths, camera: still, noisePx: 2, missed: 0.1 }, false)).toEqual({ fraction: 1, switches: 0 });
  });

  it('tells phrases apart, drops duplicates, and forgets after a time', () => {
    const tracker = new Tracker({ maxAgeS: 1 });
    const at = (phrase: string, x: number, score = 0.9): TrackableDetection => ({
      box: [x, 0, x + 10, 10],
      score,
      phrase,
    });
    expect(tracker.update(0, [at('dog', 0), at('cat', 0), at('dog', 0.5, 0.8)])).toEqual([1, 2, undefined]);
    expect(tracker.update(0.1, [at('cat', 1), at('dog', 1)])).toEqual([2, 1]);
    expect(tracker.update(0.2, [])).toEqual([]);
    expect(tracker.update(2, [at('dog', 1)])).toEqual([3]);
  });
});
