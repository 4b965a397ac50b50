import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawImage } from '../../data/images/raw-image.ts';
import { maskFromDense, packMask } from '../../geometry/run-lengths.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { drawDetections, drawingFormatOf, writeDrawing, type DrawableDetection } from './index.ts';
import { phraseColor } from '../palette.ts';

const gray = (width: number, height: number): RawImage => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3).fill(128),
});
const caption = 'a cat next to a dog';
const cat: DrawableDetection = { box: [20, 40, 220, 240], score: 0.9, spans: [{ start: 0, end: 5 }] };
const dog: DrawableDetection = { box: [250, 60, 390, 280], score: 0.8, spans: [{ start: 14, end: 19 }] };

interface Decoded {
  width: number;
  height: number;
  at: (x: number, y: number) => number[];
  /** Pixels of exactly this color within rows [from, to). */
  count: (rgb: readonly number[], from?: number, to?: number) => number;
}
const decoded = async (file: Uint8Array): Promise<Decoded> => {
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number): number[] => [...data.subarray((y * info.width + x) * 3).subarray(0, 3)];
  const count = (rgb: readonly number[], from = 0, to = info.height): number => {
    let found = 0;
    for (let i = from * info.width * 3; i < to * info.width * 3; i += 3)
      if (rgb.every((value, channel) => data[i + channel] === value)) found++;
    return found;
  };
  return { width: info.width, height: info.height, at, count };
};
const [first, second] = [phraseColor(0).rgb, phraseColor(1).rgb];

describe('drawDetections', () => {
  it('draws each box and its phrase below in one color, and leaves the rest alone', async () => {
    const image = gray(400, 300);
    const drawn = await decoded(await drawDetections(image, { caption, detections: [dog, cat] }));
    expect(drawn.width).toBe(400);
    expect(drawn.height).toBeGreaterThan(300);
    // Colors follow the order of the phrases in the caption, not of the detections.
    expect(drawn.at(21, 150)).toEqual(first);
    expect(drawn.at(388, 150)).toEqual(second);
    expect(drawn.at(120, 150)).toEqual([128, 128, 128]);
    expect(drawn.count(first, 300)).toBeGreaterThan(100);
    expect(drawn.count(second, 300)).toBeGreaterThan(100);
    expect(image.data.every((value) => value === 128)).toBe(true);
  });

  it('tints masks, keeps their contour opaque, and refuses those of another size', async () => {
    const pixels = new Uint8Array(400 * 300);
    for (let y = 100; y < 200; y++) pixels.fill(1, y * 400 + 60, y * 400 + 180);
    const mask = packMask(maskFromDense(pixels, 300, 400));
    const drawn = await decoded(await drawDetections(gray(400, 300), { caption, detections: [{ ...cat, mask }] }));
    expect(drawn.at(60, 150)).toEqual(first);
    const inside = drawn.at(120, 150);
    inside.forEach((value, channel) => {
      const [low, high] = [128, first[channel as 0 | 1 | 2]].sort((a, b) => a - b) as [number, number];
      expect(value).toBeGreaterThan(low);
      expect(value).toBeLessThan(high);
    });
    expect(drawn.at(200, 150)).toEqual([128, 128, 128]);
    const wrong = drawDetections(gray(40, 30), { caption, detections: [{ ...cat, mask }] });
    await expect(wrong).rejects.toThrow('a mask of 400x300 pixels does not fit an image of 40x30');
  });

  it('leaves a mask open where the image ends', async () => {
    const mask = packMask(maskFromDense(new Uint8Array(400 * 300).fill(1), 300, 400));
    const item: DrawableDetection = { box: [100, 100, 101, 101], score: 1, spans: [], mask };
    const drawn = await decoded(await drawDetections(gray(400, 300), { caption, detections: [item] }));
    expect(drawn.at(0, 250)).toEqual(drawn.at(200, 250));
  });

  it('says when nothing was found, and shows an answer', async () => {
    const ink = [107, 107, 107];
    const nothing = await decoded(await drawDetections(gray(400, 300), { caption, detections: [] }));
    expect(nothing.count(ink, 300)).toBeGreaterThan(20);
    const plain = await decoded(await drawDetections(gray(400, 300), { caption, detections: [cat] }));
    const answer = await decoded(
      await drawDetections(gray(400, 300), { caption, detections: [cat], note: 'two of them, on the left' }),
    );
    expect(answer.count(ink, 300)).toBeGreaterThan(plain.count(ink, 300));
    expect(plain.height).toBeLessThan(answer.height);
    expect(answer.height).toBe(nothing.height);
  });

  const odd: [string, RawImage, string, DrawableDetection[]][] = [
    ['one pixel', gray(1, 1), caption, [{ ...cat, box: [0, 0, 1, 1] }]],
    ['32x32', gray(32, 32), caption, [{ ...cat, box: [4, 4, 20, 30] }]],
    ['a thread', gray(3, 900), caption, [{ ...cat, box: [0, 100, 3, 300] }]],
    ['a panorama', gray(1500, 4), caption, [{ ...cat, box: [0, 0, 900, 4] }]],
    ['4000 pixels', gray(4000, 2000), caption, [{ ...cat, box: [100, 100, 3000, 1900] }]],
    ['more than any format bears', gray(20_000, 10), caption, [{ ...cat, box: [100, 0, 3000, 10] }]],
    ['a long caption', gray(300, 200), 'a very long caption indeed '.repeat(200), [cat]],
    ['a caption of one long word', gray(300, 200), 'w'.repeat(3000), [{ ...cat, spans: [{ start: 0, end: 2999 }] }]],
    ['an empty caption', gray(300, 200), '', [{ ...cat, spans: [] }]],
    [
      'emoji, CJK, marks',
      gray(300, 200),
      '👩‍👩‍👧 🦒 长颈鹿 é\u0323\u200d مرحبا \u0000\n\t<b>&',
      [cat, { ...dog, spans: [{ start: 3, end: 20 }] }],
    ],
    [
      'boxes outside, inside out, broken',
      gray(300, 200),
      caption,
      [
        { ...cat, box: [-50, -50, 900, 900] },
        { ...cat, box: [400, 400, 500, 500] },
        { ...cat, box: [100, 100, 50, 50] },
        { ...cat, box: [NaN, 0, Infinity, 5] },
        { ...cat, spans: [{ start: -4, end: 900 }] },
        { ...cat, spans: [{ start: 9, end: 2 }] },
      ],
    ],
    ['a hundred boxes', gray(500, 400), caption, Array.from({ length: 100 }, () => cat)],
  ];
  it.each(odd)('draws %s', async (_, image, text, detections) => {
    const drawn = await decoded(await drawDetections(image, { caption: text, detections }));
    expect(drawn.width).toBeGreaterThanOrEqual(280);
    expect(drawn.width).toBeLessThanOrEqual(12_000);
    const white = drawn.count([255, 255, 255]);
    expect(white).toBeGreaterThan(0);
  });

  it('writes every format', async () => {
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const file = await drawDetections(gray(100, 80), { caption, detections: [cat] }, { format });
      expect((await sharp(file).metadata()).format).toBe(format);
    }
  });
});

describe('writeDrawing', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mdetr-drawing-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('writes what the ending says, replaces an older file and leaves nothing beside it', async () => {
    const path = join(dir, 'boxes.JPG');
    await writeFile(path, 'old');
    await writeDrawing(path, gray(100, 80), { caption, detections: [cat] });
    expect((await sharp(await readFile(path)).metadata()).format).toBe('jpeg');
    expect(await readdir(dir)).toEqual(['boxes.JPG']);
  });

  it('refuses other endings as a wrong call, and says where it could not write', async () => {
    expect(() => drawingFormatOf('boxes.bmp')).toThrow(UsageError);
    expect(() => drawingFormatOf('boxes')).toThrow('.png, .jpg or .webp');
    const missing = join(dir, 'missing', 'boxes.png');
    const failure: unknown = await writeDrawing(missing, gray(9, 9), { caption, detections: [] }).catch(
      (thrown: unknown) => thrown,
    );
    expect(failure).toBeInstanceOf(MdetrError);
    expect((failure as Error).message).toContain(missing);
    // A folder in the way: the finished file cannot take its place, and is not left lying about.
    await expect(writeDrawing(`${dir}/.png`, gray(9, 9), { caption, detections: [] })).rejects.toThrow(UsageError);
  });
});
