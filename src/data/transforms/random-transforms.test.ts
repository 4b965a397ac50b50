import { describe, expect, it } from 'vitest';
import { Random } from '../../random/random.ts';
import type { Sample } from '../format/target.ts';
import { randomCropAroundBoxes } from './random-transforms.ts';

const [WIDTH, HEIGHT] = [60, 40];

/** A sample whose pixels hold their position: x, y, 0. */
const sampleWith = (boxesXyxy: readonly number[]): Sample => {
  const data = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return [pixel % WIDTH, Math.floor(pixel / WIDTH), 0][i % 3]!;
  });
  return {
    image: { data, width: WIDTH, height: HEIGHT, channels: 3 },
    target: {
      caption: 'a cube',
      boxesXyxy: Float32Array.from(boxesXyxy),
      labels: new Int32Array(boxesXyxy.length / 4),
      isCrowd: new Uint8Array(boxesXyxy.length / 4),
      area: new Float32Array(boxesXyxy.length / 4),
      tokensPositive: Array.from({ length: boxesXyxy.length / 4 }, () => [[2, 6]]),
      size: [HEIGHT, WIDTH],
    } as unknown as Sample['target'],
  };
};

describe('crops around all boxes', () => {
  const crop = (boxes: readonly number[], seed: number, minFraction = 0.5) =>
    randomCropAroundBoxes(minFraction)(sampleWith(boxes), Random.of(seed));

  it('keep every box completely, and the aspect', () => {
    const boxes = [10, 5, 20, 15, 30.5, 8.25, 41, 30];
    const sizes = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { image, target } = crop(boxes, seed);
      sizes.add(`${image.width}x${image.height}`);
      const [left, top] = [image.data[0]!, image.data[1]!];
      expect([...target.boxesXyxy]).toEqual(boxes.map((value, i) => value - (i % 2 === 0 ? left : top)));
      expect(Math.abs(image.width / image.height - WIDTH / HEIGHT)).toBeLessThan(0.15);
      expect(image.height).toBeGreaterThanOrEqual(HEIGHT / 2);
      expect(target.size).toEqual([image.height, image.width]);
    }
    expect(sizes.size).toBeGreaterThan(5);
  });

  it('leave an image whole that boxes fill, and crop one without boxes', () => {
    expect(crop([0, 0, WIDTH, HEIGHT], 3).image).toMatchObject({ width: WIDTH, height: HEIGHT });
    const widths = Array.from({ length: 20 }, (_, seed) => crop([], seed).image.width);
    expect(Math.min(...widths)).toBeLessThan(WIDTH);
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(WIDTH / 2);
  });

  it('do not fail for boxes beyond the image', () =>
    expect(crop([-5, -5, WIDTH + 9, HEIGHT + 9], 1).image).toMatchObject({ width: WIDTH, height: HEIGHT }));
});
