import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BenchmarkFixture, imageRow } from '../../../test/support/benchmark-fixture.ts';
import { RECALL_METRICS } from './recall-metrics.ts';

let fixture: BenchmarkFixture;

beforeAll(async () => {
  fixture = await BenchmarkFixture.create();
});

afterAll(() => fixture.remove());

describe('Flickr30k', () => {
  const object = (entity: number, [xmin, ymin, xmax, ymax]: readonly [number, number, number, number]): string =>
    `<object><name>${entity}</name><bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`;
  const xml = (id: number, objects: string): string =>
    `<annotation><filename>${id}.jpg</filename><size><width>60</width><height>40</height><depth>3</depth></size>${objects}</annotation>`;
  let annotations: string;
  let groundTruth: string;

  beforeAll(() => {
    groundTruth = join(fixture.folder, 'entities');
    fixture.write('entities/val.txt', '1\n2\n');
    // Entity 5 has two boxes; entity 6 none.
    fixture.write('entities/Annotations/1.xml', xml(1, object(5, [0, 0, 10, 10]) + object(5, [20, 0, 30, 10])));
    fixture.write('entities/Annotations/2.xml', xml(2, object(7, [0, 0, 20, 20])));
    fixture.write('entities/Sentences/1.txt', '[/EN#5/people Two men] at [/EN#6/scene a beach]\nNothing is seen .\n');
    fixture.write('entities/Sentences/2.txt', '[/EN#7/animals/other A dog] with [/EN#7/animals a dog]\n');
    annotations = fixture.write('final_flickr_separateGT_val.json', {
      images: [
        imageRow(1, 'Two men at a beach', {
          original_img_id: 1,
          sentence_id: 0,
          tokens_positive_eval: [[[0, 7]]],
        }),
        imageRow(2, 'A dog with a dog', {
          original_img_id: 2,
          sentence_id: 0,
          tokens_positive_eval: [[[0, 5]], [[11, 16]]],
        }),
      ],
      annotations: [],
    });
  });

  it('computes recall by both protocols, over all and by category', async () => {
    const [far, left, enclosing] = [[40, 20, 60, 40], [0, 0, 10, 9], [0, 0, 30, 10]]; // prettier-ignore
    const predictions = fixture.save('flickr.jsonl', 'flickr', [
      { image_id: 1, sentence_id: 0, boxes: [[far, left, enclosing]] },
      { image_id: 2, sentence_id: 0, boxes: [[[0, 0, 20, 18], far], [far, far, far, far, far, [0, 0, 20, 20]]] }, // prettier-ignore
    ]);
    const { results, warnings } = await fixture.evaluate({ task: 'flickr', annotations, groundTruth, predictions });
    expect(warnings).toEqual([]);
    const [any, merged] = results;
    expect([any!.title, merged!.title]).toEqual(['flickr, any box', 'flickr, merged boxes']);
    expect(any!.metrics).toMatchObject({
      'Recall@1_all': 1 / 3,
      'Recall@5_all': 2 / 3,
      'Recall@10_all': 1,
      'Recall@1_people': 0,
      'Recall@5_people': 1,
      'Recall@1_animals': 1 / 2,
      'Recall@1_other': 1,
      Upper_bound_all: 1,
    });
    // The third box is the one that encloses both men.
    expect(merged!.metrics).toMatchObject({ 'Recall@1_all': 1 / 3, 'Recall@5_people': 1, Upper_bound_people: 1 });
    const swapped = fixture.save('flickr2.jsonl', 'flickr', [
      { image_id: '1', sentence_id: 0, boxes: [[enclosing]] },
      { image_id: 2, sentence_id: 0, boxes: [[far], [far]] },
    ]);
    const again = await fixture.evaluate({ task: 'flickr', annotations, groundTruth, predictions: swapped });
    expect(again.results.map(({ metrics }) => metrics['Recall@1_people'])).toEqual([0, 1]);
  });

  it('gives the same results for the model and its saved predictions', async () => {
    await fixture.expectRoundTrip({ task: 'flickr', annotations, groundTruth }, (lines) => {
      expect(lines.map(({ boxes }) => (boxes as unknown[]).length)).toEqual([1, 2]);
    });
  });

  it('has the same metrics in validation, by identifier and without categories', async () => {
    const { results } = await fixture.evaluate({ task: 'flickr', annotations, groundTruth });
    const metrics = await fixture.validate(annotations, 'flickr', { groundTruth, subset: 'val' });
    for (const k of [1, 5, 10]) {
      expect(metrics[`recall_at_${k}`]).toBe(results[0]!.metrics[`Recall@${k}_all`]);
      expect(metrics[`merged/recall_at_${k}`]).toBe(results[1]!.metrics[`Recall@${k}_all`]);
    }
    const all = RECALL_METRICS.filter(({ isDetail }) => isDetail !== true).map(({ id }) => id);
    expect(Object.keys(metrics)).toEqual([...all, ...all.map((id) => `merged/${id}`)]);
  });

  it('with a limit, counts the evaluated rows only', async () => {
    const { results } = await fixture.evaluate({ task: 'flickr', annotations, groundTruth, limit: 1 });
    expect(results[0]!.count).toBe(1);
    expect(Object.keys(results[0]!.metrics)).not.toContain('Recall@1_animals');
  });

  it('reports missing inputs', async () => {
    await expect(fixture.evaluate({ task: 'flickr', annotations })).rejects.toThrow(/needs --ground-truth DIR/);
    const unnamed = fixture.write('rows.json', { images: [imageRow(1, 'a dog')], annotations: [] });
    await expect(fixture.evaluate({ task: 'flickr', annotations: unnamed, groundTruth })).rejects.toThrow(
      /pass --subset/,
    );
    await expect(
      fixture.evaluate({ task: 'flickr', annotations: unnamed, groundTruth, subset: 'val' }),
    ).rejects.toThrow(/row with image id 1 has no "original_img_id"/);
    fixture.write('entities/test.txt', '1\n3\n');
    await expect(fixture.evaluate({ task: 'flickr', annotations, groundTruth, subset: 'test' })).rejects.toThrow(
      /Annotations.3\.xml: cannot be read/,
    );
    const missing = fixture.save('missing.jsonl', 'flickr', [{ image_id: 1, sentence_id: 0, boxes: [[[0, 0, 1, 1]]] }]);
    await expect(fixture.evaluate({ task: 'flickr', annotations, groundTruth, predictions: missing })).rejects.toThrow(
      /No prediction for 1 of 2 sentences/,
    );
    const unmatched = fixture.save('unmatched.jsonl', 'flickr', [{ image_id: 9, sentence_id: 0, boxes: [] }]);
    await expect(
      fixture.evaluate({ task: 'flickr', annotations, groundTruth, predictions: unmatched }),
    ).rejects.toThrow(/has no predictions for these rows/);
  });
});
