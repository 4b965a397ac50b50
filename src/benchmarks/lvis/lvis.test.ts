import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BenchmarkFixture } from '../../../test/support/benchmark-fixture.ts';
import { CategoryBest } from './category-best.ts';
import { promptOf } from './ground-truth.ts';

let fixture: BenchmarkFixture;

beforeAll(async () => {
  fixture = await BenchmarkFixture.create(['val2017/7.png', 'val2017/8.png']);
});

afterAll(() => fixture.remove());

describe('LVIS', () => {
  let annotations: string;
  const image = (id: number, negative: number[]) => ({
    id,
    width: 60,
    height: 40,
    coco_url: `http://images.example/val2017/${id}.png`,
    neg_category_ids: negative,
    not_exhaustive_category_ids: [],
  });

  beforeAll(() => {
    annotations = fixture.write('lvis_v1_minival.json', {
      info: {},
      // Not sorted by id, on purpose.
      categories: [
        { id: 3, name: 'cube_(shape)', frequency: 'f', synset: 'cube.n.01' },
        { id: 1, name: 'cone', frequency: 'r' },
        { id: 2, name: 'red_ball', frequency: 'c' },
      ],
      images: [image(8, [2]), image(7, [])],
      annotations: [
        { id: 1, image_id: 7, category_id: 1, bbox: [0, 0, 10, 10], area: 100, segmentation: [[0, 0, 1, 1, 2, 2]] },
        { id: 2, image_id: 7, category_id: 2, bbox: [20, 0, 10, 10], area: 100 },
        { id: 3, image_id: 8, category_id: 3, bbox: [0, 0, 10, 10], area: 100 },
      ],
    });
  });

  it.each(['category', 'image'] as const)(
    'computes AP of rare, common and frequent categories (limit by %s)',
    async (limitBy) => {
      const predictions = fixture.save('lvis.jsonl', 'lvis', [
        {
          image_id: 7,
          scores: [0.9, 0.5, 0.8],
          labels: [1, 2, 3],
          // A cube in image 7, where cubes are neither annotated nor known to be absent, is not counted.
          boxes: [[0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 5, 5]], // prettier-ignore
        },
        // A ball in image 8, where balls are known to be absent, counts as wrong; the cube is missed.
        { image_id: 8, scores: [0.9, 0.4], labels: [2, 3], boxes: [[0, 0, 5, 5], [30, 30, 40, 40]] }, // prettier-ignore
      ]);
      const { results } = await fixture.evaluate({ task: 'lvis', annotations, settings: { limitBy }, predictions });
      const { metrics, title, count } = results[0]!;
      expect({ title, count }).toEqual({ title: limitBy === 'image' ? 'lvis' : 'lvis, fixed AP', count: 2 });
      expect(metrics['bbox_APr']).toBeCloseTo(1, 9);
      expect(metrics['bbox_APc']).toBeCloseTo(0.5, 9);
      expect(metrics['bbox_APf']).toBeCloseTo(0, 9);
      expect(metrics['bbox_AP']).toBeCloseTo(0.5, 9);
      const first = await fixture.evaluate({ task: 'lvis', annotations, settings: { limitBy }, predictions, limit: 1 });
      expect(first.results[0]!.metrics['bbox_APc']).toBeCloseTo(1, 9);
    },
  );

  it.each(['category', 'image'] as const)(
    'prompts with every category in every image, and evaluates saved predictions alike (limit by %s)',
    async (limitBy) => {
      const progress: number[] = [];
      await fixture.expectRoundTrip(
        { task: 'lvis', annotations, settings: { limitBy }, batchSize: 1, onProgress: (done) => progress.push(done) },
        (lines) => {
          expect(lines.map(({ image_id }) => image_id)).toEqual([7, 8]);
          const labels = lines[0]!['labels'] as number[];
          // 16 queries for each of three categories, by ascending id.
          expect(labels).toEqual([1, 2, 3].flatMap((id) => Array<number>(16).fill(id)));
        },
      );
      expect(progress).toEqual([1, 2]);
    },
  );

  it('resumes an interrupted run', async () => {
    const savePredictions = join(fixture.folder, 'lvis-resumed.jsonl');
    const options = { task: 'lvis', annotations, savePredictions } as const;
    const complete = await fixture.evaluate(options);
    const [header, first] = readFileSync(savePredictions, 'utf8').split('\n');
    writeFileSync(savePredictions, `${header!}\n${first!}\n`);
    const done: number[] = [];
    const resumed = await fixture.evaluate({ ...options, resume: true, onProgress: (count) => done.push(count) });
    expect(done).toEqual([2]);
    expect(resumed.results).toEqual(complete.results);
  });

  it('takes string ids, and saves those of images', async () => {
    const { images, ...others } = JSON.parse(readFileSync(annotations, 'utf8')) as { images: { id: number }[] };
    const named = fixture.write(
      'lvis-texts.json',
      JSON.parse(
        JSON.stringify({ images, ...others }).replace(
          /("image_id"|"images":\[\{"id"|\},\{"id"(?=:[78],)):(\d)/g,
          '$1:"img-$2"',
        ),
      ),
    );
    const savePredictions = join(fixture.folder, 'lvis-texts.jsonl');
    const { results } = await fixture.evaluate({ task: 'lvis', annotations: named, savePredictions });
    expect(results).toEqual((await fixture.evaluate({ task: 'lvis', annotations })).results);
    expect(readFileSync(savePredictions, 'utf8').match(/"img-\d"/g)).toEqual(['"img-8"', '"img-7"']);
    const saved = await fixture.evaluate({ task: 'lvis', annotations: named, predictions: savePredictions });
    expect(saved.results).toEqual(results);
  });

  it('makes the prompts of the official script', () => {
    expect(promptOf('flip-flop_(sandal)')).toBe('flip-flop ');
    expect(promptOf('baby_buggy')).toBe('baby buggy');
  });

  it('saves only detections that can still count', () => {
    const { filter } = new CategoryBest(2);
    const saved = [5, 1, 3, 4, 4, 6, 2, 5].map(
      (score, index) => filter({ image_id: index, scores: [score], labels: [1], boxes: [[0, 0, 1, 1]] }).scores,
    );
    // The second best of the first four is 4, so that only higher scores can count.
    expect(saved).toEqual([[5], [1], [3], [4], [], [6], [], [5]]);
  });

  it('names the wrong field of a file', async () => {
    const broken = (value: Record<string, unknown>): string =>
      fixture.write('lvis-broken.json', { images: [image(7, [])], annotations: [], categories: [{ id: 1, name: 'a', frequency: 'r' }], ...value }); // prettier-ignore
    const expectError = (value: Record<string, unknown>, message: RegExp): Promise<void> =>
      expect(fixture.evaluate({ task: 'lvis', annotations: broken(value) })).rejects.toThrow(message);
    await expectError({ categories: [{ id: 1, name: 'a' }] }, /categories\[0\], field frequency/);
    await expectError(
      { images: [{ ...image(7, []), coco_url: 'http://images.example/../7.png' }] },
      /images\[0\], field coco_url/,
    );
    await expectError({ images: [{ ...image(7, []), neg_category_ids: undefined }] }, /field neg_category_ids/);
    await expectError({ images: [] }, /has no images or no categories/);
    await expect(fixture.evaluate({ task: 'lvis', annotations, images: ['a', 'b'] })).rejects.toThrow(
      /one --images DIR/,
    );
  });
});
