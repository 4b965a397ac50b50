import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { maskFromDense, packMask } from '../../geometry/run-lengths.ts';
import { crop, draw, save } from './result-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-draw-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 4 × 2 pixels whose values are their indices. */
const image = { width: 4, height: 2, channels: 1 as const, data: Uint8Array.from({ length: 8 }, (_, i) => i) };
const gray = (data: Uint8Array): number[] => [...data].filter((_, i) => i % 3 === 0);
const content = { caption: 'a dog', detections: [] };

describe('crop', () => {
  it('takes the pixels that the box touches, clamped to the image', async () => {
    const inner = await crop(image, { box: [1.2, 0.5, 2.5, 9] });
    expect([inner.width, inner.height, gray(inner.data)]).toEqual([2, 2, [1, 2, 5, 6]]);
    const outside = await crop(image, { box: [9, 9, 12, 12] });
    expect([outside.width, outside.height, gray(outside.data)]).toEqual([1, 1, [7]]);
    const wide = await crop(image, { box: [1, 0, 2, 1] }, { margin: 1 });
    expect([wide.width, wide.height]).toEqual([3, 2]);
  });

  it('hides what is outside of the mask, and needs one for that', async () => {
    const mask = packMask(maskFromDense(Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0), 2, 4));
    expect(gray((await crop(image, { box: [0, 0, 4, 2], mask }, { masked: true })).data)).toEqual([
      255, 1, 255, 255, 255, 5, 255, 255,
    ]);
    await expect(crop(image, { box: [0, 0, 4, 2] }, { masked: true })).rejects.toThrow('needs a detection with a mask');
  });
});

describe('draw and save', () => {
  it('write drawings, images and results by extension', async () => {
    expect((await sharp(await draw(image, content, { format: 'webp' })).metadata()).format).toBe('webp');
    await save(join(folder, 'plain.png'), image);
    expect(await sharp(join(folder, 'plain.png')).metadata()).toMatchObject({ width: 4, height: 2 });
    await save(join(folder, 'drawn.jpg'), image, content);
    expect((await sharp(join(folder, 'drawn.jpg')).metadata()).format).toBe('jpeg');
    await save(join(folder, 'result.json'), image, content);
    expect(JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))).toEqual(content);
  });

  it('refuse other extensions and a missing result', async () => {
    await expect(save('a.gif', image)).rejects.toThrow('.png, .jpg or .webp');
    await expect(save('a.json', image)).rejects.toThrow('a result; give one');
  });
});
