import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawImage } from '../data/images/raw-image.ts';
import { generateScene } from '../scenes/index.ts';
import { MDETR } from './node/mdetr.ts';
import { kindOfImage, looksLikeScene } from './image-domain.ts';

/** A image by a function of place, each channel 0 to 255. */
const draw = (width: number, height: number, pixel: (x: number, y: number) => readonly number[]): RawImage => {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(pixel(x, y), 3 * (y * width + x));
  return { width, height, channels: 3, data };
};

const noise = (x: number, y: number): number => Math.abs(Math.sin(12.9898 * x + 78.233 * y) * 43758.5453) % 1;
const foliage = draw(192, 128, (x, y) => [40 + 90 * noise(x, y), 80 + 120 * noise(x + 7, y), 30]);
const seaside = draw(192, 128, (_, y) => (y < 60 ? [110, 160, 220] : [200, 180, 130]));
const grayStreet = draw(192, 128, (x, y) => (y < 50 ? [120, 120, 120].map((v) => v + 80 * noise(x, y)) : [90, 90, 92]));

describe('telling scenes from other images', () => {
  it.each([
    ['of the usual size', { width: 192, height: 128 }],
    ['that are full', { width: 192, height: 128, minObjects: 10, maxObjects: 10 }],
    ['that are small', { width: 96, height: 64 }],
  ])('scenes %s are scenes', (_name, options) => {
    for (let index = 0; index < 12; index++)
      expect(looksLikeScene(generateScene(31, index, options).image), `scene ${index}`).toBe(true);
  });

  it.each([
    ['leaves', foliage],
    ['sky and sand', seaside],
    ['a gray street under a busy sky', grayStreet],
  ])('%s are none', (_name, image) => expect(looksLikeScene(image)).toBe(false));
});

describe('the kind of an image', () => {
  it('is a scene for scenes of any size', () => {
    for (const options of [
      { width: 192, height: 128 },
      { width: 480, height: 320 },
    ])
      for (let index = 0; index < 6; index++)
        expect(kindOfImage(generateScene(32, index, { ...options, quality: 'fast' }).image)).toBe('scene');
  });

  it.each([
    ['white', 255, 0],
    ['black', 0, 0],
    ['gray', 150, 0],
    ['gray, darker below', 170, -40],
    ['light gray, lighter below', 215, 30],
  ])('is a photograph for an object on a plain ground: %s', (_name, level, slope) => {
    const product = draw(480, 320, (x, y) => {
      const isObject = (x - 240) ** 2 + (y - 180) ** 2 < 4900;
      return isObject ? [200 * noise(x, y), 60, 40] : [1, 1, 1].map(() => Math.min(255, level + (slope * y) / 320));
    });
    expect(kindOfImage(product)).toBe('photograph');
  });

  it('is a photograph for leaves, and for images smaller than the scale at which it is measured', () => {
    expect(kindOfImage(foliage)).toBe('photograph');
    expect(kindOfImage(draw(20, 16, () => [9, 9, 9]))).toBe('photograph');
  });
});

describe('a model that was made for scenes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-made-for-'));
  let model: MDETR;
  beforeAll(async () => {
    cpSync(fileURLToPath(new URL('../../models/default', import.meta.url)), folder, { recursive: true });
    const path = join(folder, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...config, made_for: 'scenes' }));
    model = await MDETR.fromPretrained(folder);
  });
  afterAll(async () => {
    await model.dispose();
    rmSync(folder, { recursive: true });
  });

  it('warns about a photo, by name, and declares where models for photos come from', async () => {
    const { warnings } = await model.detect(foliage, 'a cube', { decode: { name: 'garden.jpg' } });
    expect(warnings.join()).toMatch(/^garden\.jpg does not look like .*mdetr pull/);
    expect((await model.ask(seaside, 'Are there any cubes?')).warnings).toHaveLength(1);
  });

  it('says nothing about a scene', async () => {
    const { image } = generateScene(31, 3, { width: 240, height: 160 });
    expect((await model.detect(image, 'a cube')).warnings).toEqual([]);
  });
});
