import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { unpackMask } from '../../geometry/run-lengths.ts';
import type { PixelInput } from '../../data/images/raw-image.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { OrtLibrary } from '../../engine/runtime/native/library.ts';
import { MDETR, type ImageText, type ProgressEvent } from './mdetr.ts';
import type { DetectionResult } from '../results.ts';

/** A picture of coloured noise that follows from a number. */
const picture = (width: number, height: number, seed: number): PixelInput => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (seed * 2 + 7) + (i >> 5) * 31) & 255),
});

let cacheDir: string;
let model: MDETR;
const events: ProgressEvent[] = [];
beforeAll(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'mdetr-pipeline-'));
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
  it('tells what it does, and ends with ready', () => {
    expect(events.map(({ status }) => status)).toEqual(['reading', 'compiling', 'compiling', 'compiling', 'ready']);
  });

  it('knows what its makers say', () => {
    expect(model.device).toBe('cpu');
    expect(model.hasMasks).toBe(true);
    expect(model.config.num_queries).toBe(14);
  });

  it('goes through the Node binding where koffi is missing, and finds the same', async () => {
    const missing = vi.spyOn(OrtLibrary, 'open').mockImplementation(() => {
      throw new MdetrError("ONNX Runtime's library cannot be called directly here: Cannot find module 'koffi'");
    });
    const other = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
    try {
      expect(missing).toHaveBeenCalled();
      const options = { threshold: 0 };
      const [image, caption] = [picture(120, 80, 1), 'a red cube'];
      expectClose(await other.detect(image, caption, options), await model.detect(image, caption, options));
    } finally {
      vi.restoreAllMocks();
      await other.dispose();
    }
  });

  it('names a model that is nowhere, and a folder that is none', async () => {
    await expect(MDETR.fromPretrained('nowhere', { cacheDir })).rejects.toThrow(/model "nowhere" is neither/);
    await expect(MDETR.fromPretrained('./no/such.pth', { cacheDir })).rejects.toThrow(/there is no such model/);
    await expect(MDETR.fromPretrained(cacheDir, { cacheDir })).rejects.toThrow(/no config\.json/);
  });
});

describe('detectBatch', () => {
  const [wide, tall, small] = [picture(96, 64, 1), picture(64, 96, 2), picture(96, 64, 3)];

  it('lets the event loop turn while the network works', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await model.detect(picture(640, 480, 3), 'a red cube');
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  it('answers in the order of the items, whatever the batch size', async () => {
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

  it('gives each picture of a batch boxes in its own pixels', async () => {
    const found = await model.detectBatch(
      [wide, tall].map((image) => ({ image, text: 'a cube' })),
      { ...everything, batchSize: 2 },
    );
    expect(found.map(({ width, height }) => [width, height])).toEqual([
      [96, 64],
      [64, 96],
    ]);
  });

  it('names the picture that is broken, by the name of its item', async () => {
    const items = [
      { image: wide, text: 'a cube', name: 'good' },
      { image: wide, text: 'a ball', name: 'good' },
      { image: Uint8Array.of(1, 2, 3), text: 'a cube', name: 'the bad one' },
    ];
    await expect(model.detectBatch(items)).rejects.toThrow(/^the bad one: /);
  });

  it('takes no items, and refuses a batch size that is none', async () => {
    expect(await model.detectBatch([])).toEqual([]);
    await expect(model.detectBatch([], { batchSize: 0 })).rejects.toThrow(UsageError);
    await expect(model.detectBatch([], { batchSize: 1.5 })).rejects.toThrow(/batchSize/);
  });
});

describe('an encoded picture', () => {
  it('gives what the whole way gives, for many texts', async () => {
    const image = picture(120, 80, 4);
    const scene = await model.encodeImage(image);
    expect(scene.size).toEqual({ width: 120, height: 80 });
    const texts = ['a red cube', 'the ball behind the cube'];
    const together = await scene.detectAll(texts, everything);
    for (const [i, text] of texts.entries()) {
      expectClose(await scene.detect(text, everything), await model.detect(image, text, everything));
      expectClose(together[i]!, await model.detect(image, text, everything));
    }
  });

  it('refers, asks and cuts out', async () => {
    const scene = await model.encodeImage(picture(90, 60, 5));
    const { best, detections } = await scene.refer('the cube', { ...everything, masks: true });
    expect(best!.scoreRefexp).toBeLessThanOrEqual(best!.score);
    expect(detections).toHaveLength(14);
    expect(unpackMask(best!.mask!)).toMatchObject({ height: 60, width: 90 });
    expect((await scene.refer('the cube', { threshold: 1 })).best).toBeUndefined();
    const { answers, probability, answer } = await scene.ask('how many cubes are there?');
    expect(answers[0]).toEqual({ answer, probability });
  });
});

describe('what cannot be done', () => {
  const image = picture(64, 64, 6);

  it('a text that is empty or too long', async () => {
    await expect(model.detect(image, '   ')).rejects.toThrow(/text is empty/);
    await expect(model.detect(image, 'cube '.repeat(100))).rejects.toThrow(/reads at most 38/);
    const { warnings } = await model.detect(image, 'cube '.repeat(100), { truncation: 'end' });
    expect(warnings.join(' ')).toMatch(/102 tokens; only the first 38/);
  });

  it('a text with unknown words is read, with a warning', async () => {
    expect((await model.detect(image, 'a dog')).warnings.join()).toMatch(/does not know "dog"/);
  });

  it('anything after it was disposed', async () => {
    const other = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
    const scene = await other.encodeImage(image);
    await other.dispose();
    await expect(other.detect(image, 'a cube')).rejects.toThrow(MdetrError);
    await expect(scene.detect('a cube')).rejects.toThrow(/disposed/);
  });
});
