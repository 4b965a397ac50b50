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
    expect(await decodeImage(turned, { orientation: 'stored' })).toEqual(image);
  });

  describe('with the size of an annotation row', () => {
    const turnedFile = (): Promise<Buffer> => made().withMetadata({ orientation: 6 }).png().toBuffer();

    it.each([
      ['the stored size leaves the pixels', width, height],
      ['the turned size turns them', height, width],
    ])('%s', async (_, rowWidth, rowHeight) => {
      const decoded = await decodeImage(await turnedFile(), { rowSize: { width: rowWidth, height: rowHeight } });
      expect([decoded.width, decoded.height]).toEqual([rowWidth, rowHeight]);
      expect(pixelAt(decoded, rowWidth - 1, 0)).toEqual(
        rowWidth === width ? pixelAt(image, width - 1, 0) : pixelAt(image, 0, 0),
      );
    });

    it('refuses another size, unless the orientation is given', async () => {
      const rowSize = { width: 12, height: 8 };
      await expect(decodeImage(await turnedFile(), { name: 'a.png', rowSize })).rejects.toThrow(
        'a.png: is 24 x 16 as stored and 16 x 24 as turned by EXIF, but its row says 12 x 8',
      );
      expect(await decodeImage(await turnedFile(), { rowSize, orientation: 'stored' })).toEqual(image);
    });

    it('notes a square image, which it turns', async () => {
      const square = await made().resize(16, 16, { fit: 'cover' }).withMetadata({ orientation: 8 }).png().toBuffer();
      const notes: string[] = [];
      const rowSize = { width: 16, height: 16 };
      const decoded = await decodeImage(square, { name: 'a.png', rowSize, onNote: (note) => notes.push(note) });
      expect(decoded).toEqual(await decodeImage(square));
      expect(decoded).not.toEqual(await decodeImage(square, { orientation: 'stored' }));
      expect(notes).toHaveLength(1);
      expect(notes[0]).toMatch(/^a\.png: has EXIF orientation 8/);
    });
  });

  it('names unknown options', async () => {
    await expect(decodeImage(image, { orient: false } as object)).rejects.toThrow(
      'decodeImage: unknown option "orient"; the options are name, orientation',
    );
  });

  it('reads BMP, and charges its pixels', async () => {
    const file = Buffer.alloc(54 + 8);
    file.write('BM', 'latin1');
    file.writeUInt32LE(54, 10);
    file.set([40, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0], 14);
    file.set([1, 2, 3, 4, 5, 6], 54);
    expect(await decodeImage(file)).toEqual({
      width: 2,
      height: 1,
      channels: 3,
      data: Uint8Array.of(3, 2, 1, 6, 5, 4),
    });
    file.writeInt32LE(100_000, 18);
    file.writeInt32LE(90_000, 22);
    await expect(decodeImage(file, { name: 'a.bmp' })).rejects.toThrow('a.bmp: 100000x90000 is 9000 million pixels');
    file.writeInt32LE(2, 18);
    file.writeInt32LE(4, 22);
    await expect(decodeImage(file, { name: 'a.bmp' })).rejects.toThrow(
      'a.bmp: the image data are damaged or incomplete',
    );
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
        const image = await decodeImage(join(sharedReference, row.file), { orientation: 'stored' });
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
    expect(await refusal('text.jpg', 'not an image, only called so')).toMatch('is a text file');
    expect(await refusal('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')).toMatch(
      'SVG is not supported',
    );
  });

  it('an SVG that takes minutes to render, under the name of a photo', async () => {
    const path = `M0 0 ${'L9 9L0 0'.repeat(1000)}`;
    const uses = Array.from(
      { length: 9 },
      (_, i) => `<g id="a${i + 1}">${`<use xlink:href="#a${i}"/>`.repeat(10)}</g>`,
    );
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><defs><path id="a0" stroke="red" d="${path}"/>${uses.join('')}</defs><use xlink:href="#a9"/></svg>`;
    const before = performance.now();
    expect(await refusal('photo.jpg', svg)).toMatch('SVG is not supported');
    expect(await refusal('signed.gif', `GIF89a${svg}`)).toMatch(/is not an image|damaged/);
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it('a TIFF or animation of too many pages, a TIFF that is the thumbnail of a camera raw file', async () => {
    const directories = (pages: number, tag: number): Buffer => {
      const entries = [256, 257, 258, 259, 262, 273, 277, 278, 279, tag].map((name) => {
        const entry = Buffer.alloc(12);
        entry.writeUInt16LE(name);
        entry.writeUInt16LE(3, 2);
        entry.writeUInt32LE(1, 4);
        entry.writeUInt16LE(name === 258 ? 8 : name === 273 ? 8 : 1, 8);
        return entry;
      });
      const page = 2 + entries.length * 12 + 4;
      const file = Buffer.alloc(16 + pages * page);
      file.write('II*\0', 'latin1');
      file.writeUInt32LE(16, 4);
      for (let i = 0; i < pages; i++) {
        file.writeUInt16LE(entries.length, 16 + i * page);
        file.set(Buffer.concat(entries), 18 + i * page);
        file.writeUInt32LE(i + 1 < pages ? 16 + (i + 1) * page : 0, 16 + (i + 1) * page - 4);
      }
      return file;
    };
    expect(await decodeImage(directories(3, 284))).toMatchObject({ width: 1, height: 1 });
    expect(await refusal('pages.tif', directories(10_001, 284))).toMatch('more than 10000 pages');
    expect(await refusal('photo.tif', directories(1, 50706))).toMatch('camera raw');
    const pixels = Uint8Array.from({ length: 30 * 60 * 3 }, (_, i) =>
      i < 30 * 20 * 3 ? 9 : i < 30 * 40 * 3 ? 99 : 199,
    );
    const frames = await sharp(pixels, { raw: { width: 30, height: 60, channels: 3, pageHeight: 20 } })
      .gif({ delay: [100, 100, 100] })
      .toBuffer();
    await expect(decodeImage(frames, { maxPages: 2 })).rejects.toThrow('more than 2 pages or frames');
    expect(await decodeImage(frames, { maxPages: 3 })).toMatchObject({ width: 30, height: 20 });
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
    const before = process.resourceUsage().maxRSS;
    expect(await refusal('bomb.png', bomb)).toMatch('20000x20000 is 400 million pixels, the limit is 50 million');
    // Decoding it takes 1.2 GB.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(600_000);
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
