import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import type { PixelInput } from '../../data/images/raw-image.ts';
import { UsageError } from '../../errors.ts';
import { parseResult } from '../../results/schema.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../../results/types.ts';
import type { ImageText } from '../options.ts';
import { MDETR } from './mdetr.ts';

const noiseImage = (width: number, height: number, seed: number): PixelInput => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (seed * 2 + 7) + (i >> 5) * 31) & 255),
});

let cacheDir: string;
let model: MDETR;
beforeAll(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'mdetr-calls-'));
  model = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(cacheDir, { recursive: true, force: true });
});

const image = noiseImage(96, 64, 1);
const texts = ['a red cube', 'the ball', 'two cylinders'] as const;

describe('one text or several', () => {
  it('detect gives one result or an array in the same order, and one image pass', async () => {
    const one = await model.detect(image, texts[0]);
    const several = await model.detect(image, texts, { batchSize: 2 });
    expectTypeOf(one).toEqualTypeOf<DetectionResult>();
    expectTypeOf(several).toEqualTypeOf<DetectionResult[]>();
    expect(several.map(({ caption, captionIndex }) => [caption, captionIndex])).toEqual(
      texts.map((text, i) => [text, i]),
    );
    expect(one).toMatchObject({ caption: texts[0], captionIndex: 0, model: 'default', version: 1, image: 'image' });
    // The pass through the backbone is shared, so its time is the same in all.
    expect(new Set(several.map(({ timing }) => timing.preprocess)).size).toBe(1);
    expect(await model.detect(image, [])).toEqual([]);
  });

  it('refer and ask likewise', async () => {
    const referred = await model.refer(image, texts);
    expectTypeOf(referred).toEqualTypeOf<ReferResult[]>();
    expect(referred.map(({ expression }) => expression)).toEqual(texts);
    expect((await model.refer(image, texts[1])).best).toMatchObject({ query: referred[1]!.best!.query });
    const answers = await model.ask(image, ['Is there a cube?', 'How many balls are there?']);
    expectTypeOf(answers).toEqualTypeOf<AnswerResult[]>();
    expect(answers.map(({ question, captionIndex }) => [question, captionIndex])).toEqual([
      ['Is there a cube?', 0],
      ['How many balls are there?', 1],
    ]);
  });

  it('results fit their schema, also after a trip through JSON', async () => {
    for (const options of [{ threshold: 0, spanThreshold: 0, masks: true }, { threshold: 1 }])
      for (const result of [
        await model.detect(image, texts[0], options),
        await model.refer(image, texts[0], options),
        await model.ask(image, texts[0], options),
      ])
        expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual(JSON.parse(JSON.stringify(result)));
  });

  it('phrases index the detections, and the best object is given when none is above the threshold', async () => {
    const { detections, phrases, bestBelowThreshold } = await model.detect(image, texts[0], { threshold: 0 });
    expect(bestBelowThreshold).toBeUndefined();
    for (const phrase of phrases) {
      expect(texts[0].slice(phrase.start, phrase.end)).toBe(phrase.text);
      for (const index of phrase.detections)
        expect(detections[index]!.spans).toContainEqual(expect.objectContaining({ text: phrase.text }));
    }
    const none = await model.detect(image, texts[0], { threshold: 1 });
    expect(none.detections).toEqual([]);
    expect(none.bestBelowThreshold).toMatchObject({ query: detections[0]!.query });
  });

  it('an image may be a sharp pipeline, and is called by its name', async () => {
    const pipeline = sharp(image.data, { raw: { width: 96, height: 64, channels: 3 } }).png();
    const found = await model.detect(pipeline, texts[0], { decode: { name: 'noise' } });
    expect(found).toMatchObject({ image: 'noise', width: 96, height: 64 });
  });
});

describe('detectStream', () => {
  it('pulls at most two batches ahead of the consumer, and keeps the order', async () => {
    let pulled = 0;
    let isClosed = false;
    async function* source(): AsyncGenerator<ImageText> {
      try {
        for (let i = 0; ; i++) {
          pulled++;
          await Promise.resolve();
          yield { image: noiseImage(96, 64, i), text: `cube ${i}`, name: `image ${i}` };
        }
      } finally {
        isClosed = true;
      }
    }
    let consumed = 0;
    for await (const result of model.detectStream(source(), { batchSize: 3 })) {
      expect(result.image).toBe(`image ${consumed}`);
      consumed++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(pulled).toBeLessThanOrEqual(consumed + 6);
      if (consumed === 7) break;
    }
    expect(isClosed).toBe(true);
  });

  it('equals detectBatch, takes plain iterables and ends with a short batch', async () => {
    const items = texts.map((text): ImageText => ({ image, text }));
    const streamed: DetectionResult[] = [];
    for await (const result of model.detectStream(items, { batchSize: 2, threshold: 0 })) streamed.push(result);
    const batched = await model.detectBatch(items, { batchSize: 2, threshold: 0 });
    expect(streamed.map(({ detections }) => detections)).toEqual(batched.map(({ detections }) => detections));
  });

  it('rejects with the error of a broken image once its batch is due', async () => {
    const items: ImageText[] = [
      { image, text: 'a cube' },
      { image: Uint8Array.of(1, 2, 3), text: 'a cube', name: 'broken' },
    ];
    const found: string[] = [];
    const run = async (): Promise<void> => {
      for await (const { caption } of model.detectStream(items, { batchSize: 1 })) found.push(caption);
    };
    await expect(run()).rejects.toThrow(/^broken: /);
    expect(found).toEqual(['a cube']);
  });
});

describe('cancellation', () => {
  it('rejects with the reason before any work, and the model stays usable', async () => {
    const reason = new Error('no longer needed');
    const signal = AbortSignal.abort(reason);
    await expect(model.detect(image, texts[0], { signal })).rejects.toBe(reason);
    await expect(model.encodeImage(image, { signal })).rejects.toBe(reason);
    const scene = await model.encodeImage(image);
    await expect(scene.ask('Is there a cube?', { signal })).rejects.toBe(reason);
    expect((await scene.detect(texts[0])).caption).toBe(texts[0]);
  });

  it('stops a long call after the program run at hand', async () => {
    const stop = new AbortController();
    const reason = { why: 'enough' };
    let decoded = 0;
    const items = Array.from({ length: 50 }, (_, i) => ({
      image: {
        toBuffer: () => {
          if (++decoded === 3) stop.abort(reason);
          return sharp(noiseImage(64, 64, i).data, { raw: { width: 64, height: 64, channels: 3 } })
            .png()
            .toBuffer();
        },
      },
      text: 'a cube',
    }));
    await expect(model.detectBatch(items, { batchSize: 2, signal: stop.signal })).rejects.toBe(reason);
    expect(decoded).toBe(3);
    expect((await model.detect(image, texts[0])).caption).toBe(texts[0]);
  });
});

describe('options', () => {
  const call = (options: object) => model.detect(image, texts[0], options);

  it.each([
    [{ treshold: 0.1 }, 'detect: unknown option "treshold"; did you mean "threshold"?'],
    [{ threshold: 'x' }, 'detect: threshold must be a number from 0 to 1, not "x"'],
    [{ decode: { maxPixel: 1 } }, 'decode: unknown option "maxPixel"; did you mean "maxPixels"?'],
  ])('%o are refused', async (options, message) => {
    await expect(call(options)).rejects.toThrow(UsageError);
    await expect(call(options)).rejects.toThrow(message);
  });

  it('of fromPretrained are refused too', async () => {
    const load = (options: object) => MDETR.fromPretrained('default', options);
    await expect(load({ dtype: 'q8' })).rejects.toThrow(
      'fromPretrained: dtype must be "float32" or "float16" or "int8", not "q8"',
    );
    await expect(load({ divice: 'cpu' })).rejects.toThrow('did you mean "device"?');
  });

  it('texts that are no strings are refused', async () => {
    await expect(model.detect(image, 7 as unknown as string)).rejects.toThrow(UsageError);
    await expect(model.refer(image, ['a', null] as unknown as string[])).rejects.toThrow('not null');
  });
});

it('Symbol.asyncDispose frees the model', async () => {
  const other = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
  await other[Symbol.asyncDispose]();
  await other.dispose();
  await expect(other.detect(image, texts[0])).rejects.toThrow(/disposed/);
});
