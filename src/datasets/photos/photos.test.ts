import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/weight-files.ts';
import { composeImage } from './compose-image.ts';
import { blockColors, colorOf } from './object-colors.ts';
import { readPhotoRows } from './read-photos.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const pixel = (data: Uint8Array, side: number, x: number, y: number): number[] =>
  Array.from(data.subarray((y * side + x) * 3, (y * side + x) * 3 + 3));

describe('composeImage', () => {
  beforeAll(async () => {
    // The left half is red, the right half blue.
    const raw = Uint8Array.from({ length: 32 * 16 * 3 }, (_, i) => {
      const isLeft = Math.floor(i / 3) % 32 < 16;
      return (i % 3 === 0) === isLeft && i % 3 !== 1 ? 255 : 0;
    });
    await sharp(raw, { raw: { width: 32, height: 16, channels: 3 } })
      .png()
      .toFile(join(folder.path, 'halves.png'));
  });

  it('squeezes an image to a square', async () => {
    const { width, height, data } = await composeImage([{ file: 'halves.png' }], folder.path, 64);
    expect([width, height]).toEqual([64, 64]);
    expect(pixel(data, 64, 5, 60)).toEqual([255, 0, 0]);
    expect(pixel(data, 64, 60, 5)).toEqual([0, 0, 255]);
  });

  it('places crops and flipped images side by side', async () => {
    const { data } = await composeImage(
      [
        { file: 'halves.png', crop: [0.5, 0, 1, 1], at: [0, 0, 0.5, 1] },
        { file: 'halves.png', flipped: true, at: [0.5, 0, 1, 1] },
      ],
      folder.path,
      64,
    );
    expect(pixel(data, 64, 2, 30)).toEqual([0, 0, 255]);
    expect(pixel(data, 64, 30, 30)).toEqual([0, 0, 255]);
    expect(pixel(data, 64, 34, 30)).toEqual([0, 0, 255]);
    expect(pixel(data, 64, 62, 30)).toEqual([255, 0, 0]);
  });

  it('names the color of an object, and none where no color prevails', async () => {
    const colors = blockColors(await composeImage([{ file: 'halves.png' }], folder.path, 64));
    expect(colors.shape).toEqual([3, 8, 8]);
    expect(colorOf(colors, [0, 0, 0.5, 1], 'car')).toBe('red');
    expect(colorOf(colors, [0.5, 0, 1, 1], 'person')).toBe('blue');
    // A person's clothes are in the upper half of the box.
    const dark = { shape: [3, 4, 1], data: [0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0] };
    expect(colorOf(dark, [0, 0, 1, 1], 'person')).toBe('white');
  });
});

describe('readPhotoRows', () => {
  it('keeps rows with their indices in the file, and names a broken line', () => {
    const path = join(folder.path, 'photos.jsonl');
    const line = (id: string): string =>
      JSON.stringify({
        id,
        source: 'coco',
        tier: 'clean',
        parts: [{ file: id }],
        objects: [],
        ignored: [],
        captions: [],
      });
    writeFileSync(path, `${line('a')}\n${line('b')}\n`);
    expect(readPhotoRows(path, ({ id }) => id === 'b')).toMatchObject([{ index: 1, row: { id: 'b' } }]);
    writeFileSync(path, `${line('a')}\n{"id": "b"}\n`);
    expect(() => readPhotoRows(path, () => true)).toThrow(/photos.jsonl: line 2: "source"/);
    writeFileSync(path, `${line('a')}\n{"id": \n`);
    expect(() => readPhotoRows(path, () => true)).toThrow(/line 2/);
    expect(() => readPhotoRows(join(folder.path, 'none.jsonl'), () => true)).toThrow(/no such file/);
  });
});
