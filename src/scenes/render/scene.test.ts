import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { maskBoundsXywh, maskToDense } from '../../geometry/run-lengths.ts';
import { dot, subtract } from './camera.ts';
import { maskOf, maskRuns } from './object-masks.ts';
import { RELATIONS } from './relations.ts';
import { describeScene, generateScene, flipScene, type Scene } from './scene.ts';
import { combinationsWithheld, SPLITS } from './splits.ts';

// Properties over hundreds of scenes take long on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const anyScene = fc
  .record({
    seed: fc.nat(),
    index: fc.nat(1_000_000),
    split: fc.constantFrom(...SPLITS),
    width: fc.integer({ min: 60, max: 260 }),
    height: fc.integer({ min: 40, max: 200 }),
  })
  .map(({ seed, index, ...options }) => describeScene(seed, index, options));

const maskBounds = (scene: Scene, i: number): number[] => {
  const mask = maskOf(scene, i);
  const xs: number[] = [];
  const ys: number[] = [];
  mask.forEach((on, at) => {
    if (on === 0) return;
    xs.push(at % scene.width);
    ys.push(Math.floor(at / scene.width));
  });
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
};

describe('scenes', () => {
  it('are equal for equal seed and index, including the bytes of the image', () => {
    const first = generateScene(5, 17);
    generateScene(5, 18);
    const again = generateScene(5, 17);
    expect(again).toEqual(first);
    expect(generateScene(6, 17).image.data).not.toEqual(first.image.data);
    const { image: _image, ...rest } = first;
    expect(describeScene(5, 17)).toEqual(rest);
  });

  it('have pinned pixels, since no function is used that engines may round differently', () => {
    const { image, instances } = generateScene(1, 0, { width: 96, height: 64 });
    expect(createHash('sha256').update(image.data).update(instances).digest('hex')).toMatchInlineSnapshot(
      `"a8d25a7f3ff58aa96593e6da29a75a1346a04aa670f2dd7f57bf578ac4bea056"`,
    );
  });

  it('have the same layout at every image size', () => {
    const small = describeScene(3, 4);
    const large = describeScene(3, 4, { width: 480, height: 320 });
    expect(large.objects.map(({ position }) => position)).toEqual(small.objects.map(({ position }) => position));
    expect(large.relationships).toEqual(small.relationships);
  });

  it('have boxes and pixel counts that agree with their masks', () => {
    fc.assert(
      fc.property(anyScene, (scene) => {
        scene.objects.forEach((object, i) => {
          expect(object.box).toEqual(maskBounds(scene, i));
          expect(maskOf(scene, i).reduce((sum, on) => sum + on, 0)).toBe(object.visiblePixels);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('have run-length masks whose bounds are the boxes', () => {
    fc.assert(
      fc.property(anyScene, (scene) => {
        scene.objects.forEach(({ box: [x0, y0, x1, y1] }, i) => {
          expect(maskBoundsXywh(maskRuns(scene, i))).toEqual([x0, y0, x1 - x0, y1 - y0]);
        });
        expect(maskToDense(maskRuns(scene, 0))).toEqual(maskOf(scene, 0));
      }),
      { numRuns: 20 },
    );
  });

  it('satisfy the constraints: number of objects, gaps, margins, visibility', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 3, max: 10 }), (seed, count) => {
        const scene = describeScene(seed, 0, { minObjects: count, maxObjects: count });
        expect(scene.objects).toHaveLength(count);
        scene.objects.forEach((a, i) => {
          expect(a.visiblePixels).toBeGreaterThanOrEqual(56);
          expect(a.visibleFraction).toBeGreaterThanOrEqual(0.33);
          scene.objects.slice(0, i).forEach((b) => {
            const offset = subtract([a.position[0], a.position[1], 0], [b.position[0], b.position[1], 0]);
            expect(Math.abs(dot(offset, scene.directions.left))).toBeGreaterThanOrEqual(0.4);
            expect(Math.abs(dot(offset, scene.directions.front))).toBeGreaterThanOrEqual(0.4);
          });
        });
      }),
      { numRuns: 60 },
    );
  });

  it('relate any two objects by exactly one of left and right, and one of front and behind, antisymmetrically', () => {
    fc.assert(
      fc.property(anyScene, ({ objects, relationships }) => {
        const related = (relation: (typeof RELATIONS)[number], i: number, j: number) =>
          relationships[relation][i]!.includes(j);
        objects.forEach((_, i) => {
          objects.forEach((_, j) => {
            if (i === j) {
              expect(RELATIONS.some((relation) => related(relation, i, i))).toBe(false);
              return;
            }
            expect(related('left', i, j)).toBe(!related('right', i, j));
            expect(related('front', i, j)).toBe(!related('behind', i, j));
            expect(related('left', i, j)).toBe(related('right', j, i));
          });
        });
      }),
      { numRuns: 40 },
    );
  });

  it('use all combinations of shape and color except those that the split withholds', () => {
    for (const split of SPLITS) {
      const seen = new Set<string>();
      for (let index = 0; index < 150; index++) {
        for (const { shape, color } of describeScene(11, index, { split, minObjects: 8 }).objects) {
          seen.add(`${color} ${shape}`);
        }
      }
      const withheld = combinationsWithheld(split).map(([shape, color]) => `${color} ${shape}`);
      expect(withheld).toHaveLength(split.startsWith('cogent') ? 8 : 0);
      for (const combination of withheld) expect(seen).not.toContain(combination);
      expect(seen.size).toBe(24 - withheld.length);
    }
  });

  it('show each object in its color within its mask', () => {
    // For at least 19 of 20 rubber objects, the mean color in the mask has a hue closest to that of the named color.
    let right = 0;
    let total = 0;
    for (let index = 0; index < 6; index++) {
      const scene = generateScene(2, index);
      scene.objects.forEach((object, i) => {
        if (object.material !== 'rubber' || object.color === 'gray') return;
        const sum = [0, 0, 0];
        maskOf(scene, i).forEach((on, at) => {
          for (let c = 0; on === 1 && c < 3; c++) sum[c]! += scene.image.data[3 * at + c]!;
        });
        const [r, g, b] = sum as [number, number, number];
        const dominant = {
          red: r > g && r > b,
          green: g > r && g > b,
          blue: b > r && b > g,
          purple: b > g && r > g,
          cyan: g > r && b > r,
          yellow: r > b && g > b,
          brown: r > b && r > g,
        }[object.color];
        total++;
        if (dominant) right++;
      });
    }
    expect(total).toBeGreaterThan(5);
    expect(right).toBeGreaterThanOrEqual(0.95 * total);
  });

  it('can be flipped horizontally: image, masks, boxes and relations; flipping twice is the identity', () => {
    const scene = generateScene(9, 2, { width: 101, height: 70 });
    const flipped = flipScene(scene);
    flipped.objects.forEach((object, i) => expect(object.box).toEqual(maskBounds(flipped, i)));
    expect(flipped.relationships.left).toEqual(scene.relationships.right);
    expect([...flipped.image.data.subarray(0, 3)]).toEqual([...scene.image.data.subarray(300, 303)]);
    const twice = flipScene(flipped);
    expect(twice.image.data).toEqual(scene.image.data);
    twice.objects.forEach((object, i) => {
      expect(object.box).toEqual(scene.objects[i]!.box);
      object.position.forEach((value, axis) => expect(value).toBeCloseTo(scene.objects[i]!.position[axis]!, 10));
    });
  });

  it('reject options out of range, naming them', () => {
    expect(() => describeScene(1, 0, { width: 12 })).toThrow(/width is 12/);
    expect(() => describeScene(1, 0, { minObjects: 5, maxObjects: 4 })).toThrow(/maxObjects is 4/);
    expect(() => describeScene(-1, 0)).toThrow(/seed is -1/);
  });
});
