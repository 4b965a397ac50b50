import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { unpackMask } from '../../geometry/run-lengths.ts';
import type { PixelInput } from '../../data/images/raw-image.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { OrtLibrary } from '../../engine/runtime/native/library.ts';
import type { DetectionResult } from '../../results/types.ts';
import type { ImageText } from '../options.ts';
import type { ProgressEvent } from './load-options.ts';
import { MDETR } from './mdetr.ts';

/** An image of colored noise that is a function of a seed. */
const noiseImage = (width: number, height: number, seed: number): PixelInput => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (seed * 2 + 7) + (i >> 5) * 31) & 255),
});

let cacheDir: string;
let model: MDETR;
const events: ProgressEvent[] = [];
beforeAll(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'mdetr-inference-'));
  model = await MDETR.fromPretrained('default', { cacheDir, threads: 1, onProgress: (event) => events.push(event) });
});
afterAll(async () => {
  await model.dispose();
  rmSync(cacheDir, { recursive: true, force: true });
});

const numbersOf = ({ detections }: DetectionResult): number[] =>
  detections.flatMap(({ box, score }) => [...box, score * 100]);

const expectClose = (found: DetectionResult, expected: DetectionResult): void => {
  expect(found.caption).toBe(expected.caption);
  expect([found.width, found.height]).toEqual([expected.width, expected.height]);
  const [a, b] = [numbersOf(found), numbersOf(expected)];
  expect(a).toHaveLength(b.length);
  expect(a.length).toBeGreaterThan(0);
  // Scores of an untrained model differ by less than rounding: compare the sets.
  const sorted = (values: number[]): number[] => values.toSorted((x, y) => x - y);
  sorted(a).forEach((value, i) => expect(Math.abs(value - sorted(b)[i]!)).toBeLessThan(0.01));
};

const everything = { threshold: 0 };

describe('loading', () => {
  it('reports progress and ends with ready', () => {
    expect(events.map(({ status }) => status)).toEqual(['reading', 'compiling', 'compiling', 'compiling', 'ready']);
  });

  it('knows its device, heads and configuration', () => {
    expect(model.device).toBe('cpu');
    expect(model.hasMasks).toBe(true);
    expect(model.config.num_queries).toBe(16);
  });

  it('falls back to the Node binding without koffi, with the same results', async () => {
    const missing = vi.spyOn(OrtLibrary, 'open').mockImplementation(() => {
      throw new MdetrError("ONNX Runtime's library cannot be called directly here: Cannot find module 'koffi'");
    });
    const other = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
    try {
      expect(missing).toHaveBeenCalled();
      const options = { threshold: 0 };
      const [image, caption] = [noiseImage(120, 80, 1), 'a red cube'];
      expectClose(await other.detect(image, caption, options), await model.detect(image, caption, options));
    } finally {
      vi.restoreAllMocks();
      await other.dispose();
    }
  });

  it('names a model that does not exist, and a folder that is no model folder', async () => {
    await expect(MDETR.fromPretrained('nowhere', { cacheDir })).rejects.toThrow(/model "nowhere" is neither/);
    await expect(MDETR.fromPretrained('./no/such.pth', { cacheDir })).rejects.toThrow(/there is no such model/);
    await expect(MDETR.fromPretrained(cacheDir, { cacheDir })).rejects.toThrow(/no config\.json/);
  });
});

describe('detectBatch', () => {
  const [wide, tall, small] = [noiseImage(96, 64, 1), noiseImage(64, 96, 2), noiseImage(96, 64, 3)];

  it('does not block the event loop while the network runs', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    // Several, since one takes about a millisecond.
    for (let run = 0; run < 10; run++) await model.detect(noiseImage(640, 480, 3), 'a red cube');
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(1);
  });

  it('keeps the order of the items for every batch size', async () => {
    const items: ImageText[] = [
      { image: wide, text: 'a red cube' },
      { image: small, text: 'the spheres' },
      { image: wide, text: 'a small metal ball' },
      { image: small, text: 'a red cube' },
    ];
    const alone = await Promise.all(items.map(({ image, text }) => model.detect(image, text, everything)));
    for (const batchSize of [1, 2, 3, 10]) {
      const found = await model.detectBatch(items, { ...everything, batchSize });
      expect(found).toHaveLength(items.length);
      found.forEach((result, i) => expectClose(result, alone[i]!));
    }
  });

  it('gives boxes in pixels of each image of a batch', async () => {
    const found = await model.detectBatch(
      [wide, tall].map((image) => ({ image, text: 'a cube' })),
      { ...everything, batchSize: 2 },
    );
    expect(found.map(({ width, height }) => [width, height])).toEqual([
      [96, 64],
      [64, 96],
    ]);
  });

  it('names a broken image by the name of its item', async () => {
    const items = [
      { image: wide, text: 'a cube', name: 'good' },
      { image: wide, text: 'a ball', name: 'good' },
      { image: Uint8Array.of(1, 2, 3), text: 'a cube', name: 'the bad one' },
    ];
    await expect(model.detectBatch(items)).rejects.toThrow(/^the bad one: /);
  });

  it('accepts no items, and refuses an invalid batch size', async () => {
    expect(await model.detectBatch([])).toEqual([]);
    await expect(model.detectBatch([], { batchSize: 0 })).rejects.toThrow(UsageError);
    await expect(model.detectBatch([], { batchSize: 1.5 })).rejects.toThrow(/batchSize/);
  });
});

describe('an encoded image', () => {
  it('gives the results of detect, for many texts', async () => {
    const image = noiseImage(120, 80, 4);
    const scene = await model.encodeImage(image);
    expect(scene.size).toEqual({ width: 120, height: 80 });
    const texts = ['a red cube', 'the ball behind the cube'];
    const together = await scene.detect(texts, everything);
    for (const [i, text] of texts.entries()) {
      expectClose(await scene.detect(text, everything), await model.detect(image, text, everything));
      expectClose(together[i]!, await model.detect(image, text, everything));
    }
  });

  it('refers, asks and segments', async () => {
    const scene = await model.encodeImage(noiseImage(90, 60, 5));
    const { best, detections } = await scene.refer('the cube', { ...everything, masks: true });
    expect(best!.scoreRefexp).toBeLessThanOrEqual(best!.score);
    expect(detections).toHaveLength(16);
    expect(unpackMask(best!.mask!)).toMatchObject({ height: 60, width: 90 });
    expect((await scene.refer('the cube', { threshold: 1 })).best).toBeNull();
    const { answers, probability, answer } = await scene.ask('how many cubes are there?');
    expect(answers[0]).toEqual({ answer, probability });
  });
});

describe('errors', () => {
  const image = noiseImage(64, 64, 6);

  it('for a text that is empty or too long', async () => {
    await expect(model.detect(image, '   ')).rejects.toThrow(/text is empty/);
    await expect(model.detect(image, 'cube '.repeat(100))).rejects.toThrow(/reads at most 62/);
    const { warnings } = await model.detect(image, 'cube '.repeat(100), { truncation: 'end' });
    expect(warnings.join(' ')).toMatch(/102 tokens; only the first 62/);
  });

  it('but only a warning for unknown words', async () => {
    expect((await model.detect(image, 'a dog')).warnings.join()).toMatch(/has never seen "dog"/);
  });

  it('for every call after disposal', async () => {
    const other = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
    const scene = await other.encodeImage(image);
    await other.dispose();
    await expect(other.detect(image, 'a cube')).rejects.toThrow(MdetrError);
    await expect(scene.detect('a cube')).rejects.toThrow(/disposed/);
  });
});
