import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadReferenceJson, sharedReference } from '../../../../test/support/reference-case.ts';
import { MdetrError } from '../../../errors.ts';
import { decodeImage } from './decode-image.ts';
import type { RawImage } from '../raw-image.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mdetr-image-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** An image with a different color at every pixel: columns in red, rows in green. */
const [width, height] = [24, 16];
const image: RawImage = {
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return [x * 10, y * 15, 77][i % 3]!;
  }),
};
const raw = { raw: { width, height, channels: 3 as const } };
const made = (): Sharp => sharp(image.data, raw);
const pixelAt = (image: RawImage, x: number, y: number): number[] => [
  ...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3),
];

describe('decodeImage', () => {
  it.each([
    ['PNG', () => made().png().toBuffer()],
    ['lossless WebP', () => made().webp({ lossless: true }).toBuffer()],
    ['TIFF', () => made().tiff({ compression: 'lzw' }).toBuffer()],
  ])('reads %s exactly, from bytes and from a file', async (format, encode) => {
    const bytes = await encode();
    expect(await decodeImage(bytes)).toEqual(image);
    const path = join(dir, `image of ${format}`);
    await writeFile(path, bytes);
    expect(await decodeImage(path)).toEqual(image);
  });

  it('drops alpha without blending, also at 16 bits, whose high bytes it keeps', async () => {
    const rgba = await made().ensureAlpha(0).png().toBuffer();
    expect(await decodeImage(rgba)).toEqual(image);
    const samples = Uint16Array.from({ length: width * height * 4 }, (_, i) =>
      i % 4 === 3 ? (i * 257) % 65536 : image.data[Math.floor(i / 4) * 3 + (i % 4)]! * 256 + 200,
    );
    const deep = await sharp(samples, { raw: { width, height, channels: 4 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    expect(await decodeImage(deep)).toEqual(image);
  });

  it('repeats gray, at 8 and at 16 bits', async () => {
    const gray = await decodeImage(await made().greyscale().png().toBuffer());
    expect(gray.data.every((value, i) => value === gray.data[i - (i % 3)])).toBe(true);
    const samples = Uint16Array.from({ length: width * height }, (_, i) => (i % 256) * 256 + 99);
    const deep = await sharp(samples, { raw: { width, height, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    const { data } = await decodeImage(deep);
    expect(data).toEqual(Uint8Array.from({ length: data.length }, (_, i) => Math.floor(i / 3) % 256));
  });

  it('converts CMYK by arithmetic', async () => {
    const cmyk = await made().toColourspace('cmyk').jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const inks = await sharp(cmyk, { ignoreIcc: true })
      .pipelineColourspace('cmyk')
      .toColourspace('cmyk')
      .raw()
      .toBuffer();
    const image = await decodeImage(cmyk);
    expect([image.width, image.height]).toEqual([width, height]);
    image.data.forEach((value, i) => {
      const at = Math.floor(i / 3) * 4;
      const light = 255 - inks[at + 3]!;
      expect(Math.abs(value - light * (1 - inks[at + (i % 3)]! / 255))).toBeLessThanOrEqual(0.51);
    });
  });

  it('applies the EXIF orientation, unless told not to', async () => {
    const turned = await made()
      .withExif({ IFD0: { Orientation: '6' } })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const upright = await decodeImage(turned);
    expect([upright.width, upright.height]).toEqual([height, width]);
    // Orientation 6: what is stored as the left column is the top row, read upwards.
    expect(pixelAt(upright, height - 1, 0)).toEqual(pixelAt(image, 0, 0));
    expect(pixelAt(upright, 0, 0)).toEqual(pixelAt(image, 0, height - 1));
    expect(await decodeImage(turned, { orient: false })).toEqual(image);
  });

  it('takes the first frame of an animation', async () => {
    const frames = new Uint8Array(image.data.length * 3).fill(9);
    frames.set(image.data);
    const animated = await sharp(frames, { raw: { width, height: height * 3, channels: 3, pageHeight: height } })
      .webp({ lossless: true })
      .toBuffer();
    expect((await sharp(animated).metadata()).pages).toBeGreaterThan(1);
    expect(await decodeImage(animated)).toEqual(image);
  });

  it('reads a single pixel', async () => {
    const one = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#0a141e' } })
      .png()
      .toBuffer();
    expect(await decodeImage(one)).toEqual({ width: 1, height: 1, channels: 3, data: Uint8Array.of(10, 20, 30) });
  });

  it('takes pixels: RGB as they are, RGBA without alpha, gray repeated', async () => {
    const rgb = await decodeImage(image);
    expect(rgb.data.buffer).toBe(image.data.buffer);
    const pixel = { width: 1, height: 1 };
    expect((await decodeImage({ ...pixel, channels: 4, data: Uint8Array.of(1, 2, 3, 4) })).data).toEqual(
      Uint8Array.of(1, 2, 3),
    );
    expect((await decodeImage({ ...pixel, channels: 1, data: Uint8ClampedArray.of(7) })).data).toEqual(
      Uint8Array.of(7, 7, 7),
    );
    await expect(decodeImage({ ...pixel, channels: 3, data: Uint8Array.of(1, 2) })).rejects.toThrow('needs 3 bytes');
    await expect(decodeImage({ ...pixel, width: -1, channels: 3, data: new Uint8Array() })).rejects.toThrow('integers');
  });

  it.skipIf(!existsSync(join(sharedReference, 'images')))(
    'decodes JPEGs to the bit as Pillow (needs ../shared/reference)',
    async () => {
      const rows = loadReferenceJson('preprocess/val_images.json') as {
        file: string;
        width: number;
        height: number;
        decodedHWC: { pos: number[]; values: number[] };
        decodedChannelMeans: number[];
      }[];
      for (const row of rows) {
        const image = await decodeImage(join(sharedReference, row.file), { orient: false });
        expect([image.width, image.height]).toEqual([row.width, row.height]);
        expect(row.decodedHWC.pos.map((at) => image.data[at])).toEqual(row.decodedHWC.values);
        const sums = [0, 0, 0];
        image.data.forEach((value, i) => (sums[i % 3]! += value));
        sums.forEach((sum, channel) =>
          expect(sum / (row.width * row.height)).toBeCloseTo(row.decodedChannelMeans[channel]!, 9),
        );
      }
    },
  );
});

/** A PNG of zeros of any size, one bit a pixel: small to write, huge to decode. */
const pngOfZeros = (columns: number, rows: number): Buffer => {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body), body.length + 4);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(columns);
  header.writeUInt32BE(rows, 4);
  header[8] = 1;
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(new Uint8Array(rows * (1 + Math.ceil(columns / 8))), { level: 1 })),
    chunk('IEND', new Uint8Array()),
  ]);
};

describe('broken images', () => {
  const refusal = async (name: string, contents?: Uint8Array | string): Promise<string> => {
    const path = join(dir, name);
    if (contents !== undefined) await writeFile(path, contents);
    const error: unknown = await decodeImage(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MdetrError);
    const { message } = error as MdetrError;
    expect(message).toContain(path);
    expect(message).not.toContain('\n');
    return message;
  };

  it('a missing file, a folder, an empty file, a text file', async () => {
    expect(await refusal('missing.jpg')).toMatch('there is no such file');
    await mkdir(join(dir, 'folder.jpg'));
    expect(await refusal('folder.jpg')).toMatch('is a folder');
    expect(await refusal('empty.jpg', '')).toMatch('the file is empty');
    expect(await refusal('text.jpg', 'not an image, only called so')).toMatch('is not an image');
    expect(await refusal('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')).toMatch(
      'SVG is not supported',
    );
  });

  it('a file that may not be read', async () => {
    const path = join(dir, 'secret.png');
    await writeFile(path, await made().png().toBuffer());
    await chmod(path, 0);
    // The superuser reads it all the same.
    if ((await readFile(path).catch(() => undefined)) === undefined)
      expect(await refusal('secret.png')).toMatch('permission denied');
  });

  it.each(['jpeg', 'png', 'webp', 'gif', 'tiff'] as const)('a truncated %s', async (format) => {
    const noise = Uint8Array.from({ length: 200 * 200 * 3 }, (_, i) => (i * 2654435761) >>> 24);
    const path = join(dir, `truncated.${format}`);
    await sharp(noise, { raw: { width: 200, height: 200, channels: 3 } })
      .toFormat(format)
      .toFile(path);
    const { length } = await readFile(path);
    await truncate(path, Math.floor(length / 2));
    expect(await refusal(`truncated.${format}`)).toMatch(/damaged or incomplete|is not an image/);
    await truncate(path, 20);
    expect(await refusal(`truncated.${format}`)).toMatch(/damaged or incomplete|is not an image/);
  });

  it('an image of 50,000 x 1 pixels', async () => {
    expect(await refusal('thread.png', pngOfZeros(50_000, 1))).toMatch('50000x1 is too narrow');
    const thread = await decodeImage(join(dir, 'thread.png'), { maxAspectRatio: Infinity });
    expect([thread.width, thread.height]).toEqual([50_000, 1]);
  });

  it('an image of 20,000 x 20,000 zeros, refused before it is decoded', async () => {
    const bomb = pngOfZeros(20_000, 20_000);
    const before = performance.now();
    expect(await refusal('bomb.png', bomb)).toMatch('20000x20000 is 400 million pixels, the limit is 50 million');
    // Decoding it takes seconds and 1.2 GB.
    expect(performance.now() - before).toBeLessThan(1000);
    await expect(decodeImage(pngOfZeros(30, 10), { maxPixels: 200 })).rejects.toThrow('image: 30x10');
  });

  it('a URL, a file that is too large, an object that is no image', async () => {
    await expect(decodeImage('https://example.org/a.jpg')).rejects.toThrow('URLs are not fetched');
    const path = join(dir, 'large.png');
    await writeFile(path, await made().png().toBuffer());
    await expect(decodeImage(path, { maxBytes: 20 })).rejects.toThrow('the limit for image files is 20');
    await expect(decodeImage(7 as unknown as string)).rejects.toThrow('an image is a path');
  });
});
