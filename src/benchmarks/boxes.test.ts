import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BenchmarkFixture, imageRow } from '../../test/support/benchmark-fixture.ts';

let fixture: BenchmarkFixture;

beforeAll(async () => {
  fixture = await BenchmarkFixture.create();
});

afterAll(() => fixture.remove());

describe('benchmarks of boxes', () => {
  let annotations: string;

  beforeAll(() => {
    const own = { category_id: 1, iscrowd: 0, tokens_positive: [[0, 8]], bbox: [0, 0, 10, 10], area: 100 };
    annotations = fixture.write('boxes.json', {
      images: [imageRow(1, 'red cube'), imageRow(2, 'red cube')],
      annotations: [
        { ...own, id: 1, image_id: 1, segmentation: [[0, 0, 10, 0, 10, 10, 0, 10]] },
        { ...own, id: 2, image_id: 2, segmentation: [[0, 0, 10, 0, 10, 10, 0, 10]] },
      ],
    });
  });

  it('refexp: gives the same results for the model and its saved predictions, with images of the worst', async () => {
    const { worst } = await fixture.expectRoundTrip({ task: 'refexp', annotations }, (lines) => {
      expect(lines[0]).toHaveProperty('scores_refexp');
    });
    expect(worst.length).toBeGreaterThan(0);
  });

  it('stops between batches when the signal aborts, and resumes', async () => {
    const stop = new AbortController();
    const savePredictions = join(fixture.folder, 'stopped.jsonl');
    const options = { task: 'refexp', annotations, batchSize: 1, savePredictions } as const;
    const stopped = fixture.evaluate({
      ...options,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('stopped by SIGINT')),
    });
    await expect(stopped).rejects.toThrow('stopped by SIGINT');
    const kept = readFileSync(savePredictions, 'utf8');
    expect(kept.trim().split('\n')).toHaveLength(2);
    // The process may be killed in the middle of a line.
    writeFileSync(savePredictions, `${kept}{"image_id": 2, "sco`);
    const done: number[] = [];
    const onProgress = (count: number): unknown => done.push(count);
    const resumed = await fixture.evaluate({ ...options, resume: true, onProgress });
    expect(done).toEqual([2]);
    expect(resumed.results).toEqual((await fixture.evaluate({ task: 'refexp', annotations })).results);
    expect(readFileSync(savePredictions, 'utf8').startsWith(kept)).toBe(true);
    expect((await fixture.evaluate({ ...options, resume: true, onProgress })).results).toEqual(resumed.results);
    expect(done).toEqual([2]);
  });

  it('keep string ids, and resume when rows of the first run are skipped', async () => {
    const own = { category_id: 1, iscrowd: 0, tokens_positive: [[0, 8]], area: 100 };
    const file = (name: string, width: unknown): string =>
      fixture.write(name, {
        images: [
          { ...imageRow(1, 'red cube'), id: 'b.png' },
          { ...imageRow(2, 'red cube'), id: 'a.png' },
        ],
        annotations: [
          { ...own, id: 1, image_id: 'b.png', bbox: [0, 0, 10, 10] },
          { ...own, id: 2, image_id: 'a.png', bbox: [0, 0, width, 10] },
        ],
      });
    const broken = { onBadRow: 'skip', annotations: file('text-ids-broken.json', 'wide') } as const;
    for (const task of ['refexp', 'coco', 'phrases']) {
      const savePredictions = join(fixture.folder, `text-ids-${task}.jsonl`);
      const first = await fixture.evaluate({ task, annotations: file('text-ids.json', 10), savePredictions });
      const saved = readFileSync(savePredictions, 'utf8');
      expect(Array.from(saved.matchAll(/"image_id":"([^"]*)"/g), ([, id]) => id)).toEqual(['b.png', 'a.png']);
      expect(
        (await fixture.evaluate({ task, annotations: file('text-ids.json', 10), predictions: savePredictions }))
          .results,
      ).toEqual(first.results);
      const resumed = await fixture.evaluate({ task, ...broken, savePredictions, resume: true });
      expect(resumed.warnings).toContain('1 unmatched predictions (their rows are not evaluated).');
      expect(resumed.warnings).toContain('1 bad rows were skipped');
      expect(resumed.results).toEqual((await fixture.evaluate({ task, ...broken })).results);
    }
  });

  it('coco: computes AP of masks too, with a model that has them', async () => {
    const { results } = await fixture.expectRoundTrip(
      { task: 'coco', annotations, settings: { masks: true } },
      (lines) => {
        expect(lines[0]!['masks']).toHaveLength(16);
      },
    );
    expect(results.map(({ title }) => title)).toEqual(['coco', 'coco, masks']);
    expect(results[1]!.metrics).toHaveProperty('segm_AP');
  });

  it('coco: says that an object with annotation id 0 counts, which pycocotools never finds', async () => {
    const zero = fixture.write('zero.json', {
      images: [imageRow(1, 'red cube')],
      annotations: [
        { id: 0, image_id: 1, category_id: 1, iscrowd: 0, tokens_positive: [[0, 8]], bbox: [0, 0, 10, 10], area: 100 },
      ],
    });
    const { warnings } = await fixture.evaluate({ task: 'coco', annotations: zero });
    expect(warnings).toContainEqual(expect.stringMatching(/annotation id 0 counts .*--id-zero missed/));
    const missed = await fixture.evaluate({ task: 'coco', annotations: zero, settings: { idZero: 'missed' } });
    expect(missed.warnings.filter((text) => text.includes('id 0'))).toEqual([]);
  });

  it('phrases: uses the boxes of the annotation file as ground truth', async () => {
    const predictions = fixture.save('phrases.jsonl', 'flickr', [
      { image_id: '1', sentence_id: 0, boxes: [[[0, 0, 10, 9]]] },
      { image_id: '2', sentence_id: 0, boxes: [[[30, 30, 40, 40]]] },
    ]);
    const { results, worst } = await fixture.evaluate({ task: 'phrases', annotations, predictions, worst: 3 });
    expect(results[0]!.metrics['Recall@1_all']).toBe(0.5);
    expect(worst.map(({ quality }) => quality)).toEqual([0]);
    await fixture.expectRoundTrip({ task: 'phrases', annotations }, () => undefined);
  });
});
