import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateScene } from '../../scenes/index.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { DetectionResult } from '../../results/types.ts';
import type { ImageText } from '../options.ts';
import { featureBytes, joinImages, separateImages } from '../encoded-images.ts';
import { MDETR } from './mdetr.ts';
import { openCore } from './open-core.ts';

let cacheDir: string;
let model: MDETR;
beforeAll(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'mdetr-isolation-'));
  model = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(cacheDir, { recursive: true, force: true });
});

const sceneOf = (index: number, width: number, height: number): RawImage =>
  generateScene(1, index, { width, height }).image;

/** Two images of one size, and two of other sizes; captions of different lengths about each. */
const images = [sceneOf(0, 120, 80), sceneOf(1, 80, 120), sceneOf(2, 120, 80), sceneOf(3, 96, 96)];
const texts = ['a cube', 'the small thing to the left of the big red metal cylinder behind the gray sphere'];
const items: readonly ImageText[] = images.flatMap((image) => texts.map((text) => ({ image, text })));
/** Every query is a detection. */
const options = { threshold: 0 } as const;

const expectSame = (result: DetectionResult, expected: DetectionResult): void => {
  const byQuery = ({ detections }: DetectionResult) => detections.toSorted((a, b) => a.query - b.query);
  const [found, wanted] = [byQuery(result), byQuery(expected)];
  expect(wanted.length).toBeGreaterThan(0);
  expect(found.map(({ query }) => query)).toEqual(wanted.map(({ query }) => query));
  for (const [i, { box, score }] of found.entries()) {
    expect(Math.abs(score - wanted[i]!.score)).toBeLessThan(1e-5);
    box.forEach((value, c) => expect(Math.abs(value - wanted[i]!.box[c]!)).toBeLessThan(1e-3));
  }
};

describe('an image has the same detections alone and in any company', () => {
  let alone: DetectionResult[];
  beforeAll(async () => {
    alone = [];
    for (const { image, text } of items) alone.push(await model.detect(image, text, options));
  });

  const orders = {
    'in order': [0, 1, 2, 3, 4, 5, 6, 7],
    reversed: [7, 6, 5, 4, 3, 2, 1, 0],
    mixed: [2, 7, 0, 5, 4, 1, 6, 3],
  };

  it.each(Object.entries(orders).flatMap(([name, order]) => [1, 3, 16].map((size) => [name, size, order] as const)))(
    'detectBatch and detectStream, %s, batches of %i',
    async (_, batchSize, order) => {
      const ordered = order.map((i) => items[i]!);
      const batch = await model.detectBatch(ordered, { ...options, batchSize });
      const stream: DetectionResult[] = [];
      for await (const result of model.detectStream(ordered, { ...options, batchSize })) stream.push(result);
      order.forEach((item, i) => {
        expectSame(batch[i]!, alone[item]!);
        expectSame(stream[i]!, alone[item]!);
      });
    },
  );

  it('images that were encoded by different calls, joined', async () => {
    const core = await openCore('default', { cacheDir, threads: 1 });
    try {
      const together = await core.encode([{ image: images[0]! }, { image: images[1]! }], {});
      const later = await core.encode([{ image: images[2]! }, { image: images[3]! }], {});
      const parts = [...separateImages(together), ...separateImages(later)];
      expect(parts.reduce((sum, part) => sum + featureBytes(part), 0)).toBe(
        featureBytes(together) + featureBytes(later),
      );
      for (const order of Object.values(orders)) {
        const joined = joinImages([parts[3]!, parts[0]!, parts[2]!, parts[1]!]);
        const captions = order.map((item) => ({
          image: [1, 3, 2, 0][item >> 1]!,
          text: texts[item % 2]!,
          captionIndex: item % 2,
        }));
        const results = await core.detect(joined, captions, { ...options, masks: true });
        for (const [i, item] of order.entries()) {
          expectSame(results[i]!, alone[item]!);
          expect(results[i]).toMatchObject({ width: images[item >> 1]!.width, height: images[item >> 1]!.height });
        }
        const [masked] = await core.detect(parts[order[0]! >> 1]!, [{ ...captions[0]!, image: 0 }], {
          ...options,
          masks: true,
        });
        expect(results[0]!.detections.map(({ mask }) => mask)).toEqual(masked!.detections.map(({ mask }) => mask));
      }
    } finally {
      await core.dispose();
    }
  });

  it('predict', async () => {
    const together = await model.predict(items);
    for (const [i, item] of items.entries()) {
      const single = (await model.predict([item])).detection(0);
      const { logits, boxes } = together.detection(i);
      expect(together.size(i).width).toBe(images[i >> 1]!.width);
      logits.forEach((value, k) => expect(Math.abs(value - single.logits[k]!)).toBeLessThan(1e-4));
      boxes.forEach((value, k) => expect(Math.abs(value - single.boxes[k]!)).toBeLessThan(1e-6));
    }
  });

  it('officialBatching pads images of different sizes together, which changes results', async () => {
    const batch = await model.detectBatch(items, { ...options, batchSize: 16, officialBatching: true });
    const largest = Math.max(
      ...batch.flatMap(({ detections }, i) =>
        detections.map(({ query, score }) =>
          Math.abs(score - (alone[i]!.detections.find((other) => other.query === query)?.score ?? 0)),
        ),
      ),
    );
    expect(largest).toBeGreaterThan(1e-3);
  });
});
