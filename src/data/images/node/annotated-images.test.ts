import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnnotatedImages } from './annotated-images.ts';
import { ImageRoots } from './image-roots.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mdetr-annotated-'));
  const turned = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: 'red' } }).withMetadata({ orientation: 6 });
  await turned(8, 6).jpeg().toFile(join(folder, 'turned.jpg'));
  await turned(6, 6).jpeg().toFile(join(folder, 'square.jpg'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const row = (file_name: string, width: number, height: number) => ({ file_name, width, height });

describe('AnnotatedImages', () => {
  it("turns images as their rows' sizes say, and shares equal ones", async () => {
    const images = new AnnotatedImages(ImageRoots.of(folder));
    const [stored, turned, again] = await images.decodeAll([
      row('turned.jpg', 8, 6),
      row('turned.jpg', 6, 8),
      row('turned.jpg', 8, 6),
    ]);
    expect(stored).toMatchObject({ width: 8, height: 6 });
    expect(turned).toMatchObject({ width: 6, height: 8 });
    expect(again).toBe(stored);
    expect(images.warnings).toEqual([]);
    await expect(images.decode(row('turned.jpg', 4, 3))).rejects.toThrow('its row says 4 x 3');
  });

  it('warns once of images whose size does not tell', async () => {
    const images = new AnnotatedImages(ImageRoots.of(folder));
    await images.decode(row('square.jpg', 6, 6));
    expect(images.warnings).toEqual([expect.stringMatching(/square\.jpg: has EXIF orientation 6/)]);
    await images.decode(row('square.jpg', 6, 6));
    expect(images.warnings).toEqual([expect.stringMatching(/\(and 1 more\)$/)]);
  });

  it('obeys an orientation that is given', async () => {
    const images = new AnnotatedImages(ImageRoots.of(folder), 'exif');
    expect(await images.decode(row('turned.jpg', 8, 6))).toMatchObject({ width: 6, height: 8 });
    expect(images.warnings).toEqual([]);
  });
});
