import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BenchmarkFixture, imageRow } from '../../../test/support/benchmark-fixture.ts';
import { maskFromDense, packMask } from '../../geometry/run-lengths.ts';
import { metricsById } from '../../metrics/metric-definition.ts';
import { phraseCutBenchmark } from './benchmark.ts';

let fixture: BenchmarkFixture;

beforeAll(async () => {
  fixture = await BenchmarkFixture.create();
});

afterAll(() => fixture.remove());

describe('PhraseCut', () => {
  const structure = (name: string, attributes: string[]) => ({
    name,
    attributes,
    relation_descriptions: [],
    type: attributes.length > 0 ? 'attribute' : 'name',
  });
  const rectangle = (x0: number, y0: number, x1: number, y1: number) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]; // prettier-ignore
  /** Pixels x0 to x1 and y0 to y1, both inclusive. */
  const mask = (x0: number, y0: number, x1: number, y1: number) => {
    const pixels = Uint8Array.from({ length: 60 * 40 }, (_, at) => {
      const [x, y] = [at % 60, Math.floor(at / 60)];
      return x >= x0 && x <= x1 && y >= y0 && y <= y1 ? 1 : 0;
    });
    return packMask(maskFromDense(pixels, 40, 60));
  };
  let annotations: string;
  let groundTruth: string;

  beforeAll(() => {
    groundTruth = join(fixture.folder, 'phrasecut');
    const task = (
      id: string,
      image: number,
      phrase: string,
      box: number[],
      polygon: number[][],
      attributes: string[],
    ) => ({
      task_id: id,
      image_id: image,
      phrase,
      phrase_structure: structure('cube', attributes),
      instance_boxes: [box],
      Polygons: [[polygon]],
    });
    fixture.write('phrasecut/refer_miniv.json', [
      task('1__0', 1, 'red cube', [2, 2, 10, 6], rectangle(2, 2, 11, 7), ['red']),
      task('2__0', 2, 'cube', [0, 0, 60, 40], rectangle(0, 0, 59, 39), []),
      task('9__9', 2, 'not in the rows', [0, 0, 5, 5], rectangle(0, 0, 4, 4), []),
    ]);
    const image = { width: 60, height: 40, split: 'miniv' };
    fixture.write('phrasecut/image_data_split.json', [
      { image_id: 1, ...image, coco_id: 11 },
      { image_id: 2, ...image, coco_id: null },
      { image_id: 3, ...image, split: 'train' },
    ]);
    fixture.write('phrasecut/name_att_rel_count.json', { cat: [['cube', 5]], att: [['red', 3]], rel: [] });
    annotations = fixture.write('finetune_phrasecut_miniv.json', {
      images: [
        imageRow(1, 'red cube', { original_id: 1, task_id: '1__0' }),
        imageRow(2, 'cube', { original_id: 2, task_id: '2__0' }),
      ],
      annotations: [],
    });
  });

  it('has the same metrics in validation, by identifier and without subsets', async () => {
    const { results } = await fixture.evaluate({ task: 'phrasecut', annotations, groundTruth });
    const overall = Object.entries(results[0]!.metrics).filter(([name]) => !name.includes('/'));
    expect(overall.map(([name]) => name)).toContain('mean_mask_iou');
    const metrics = await fixture.validate(annotations, 'phrasecut', { groundTruth, subset: 'miniv' });
    expect(metrics).toEqual(metricsById(phraseCutBenchmark.metrics, Object.fromEntries(overall)));
    expect(Object.keys(metrics)).toContain('box_precision_at_50');
  });

  it('computes IoU and precision of boxes and masks, over all and by subset', async () => {
    const predictions = fixture.save('phrasecut.jsonl', 'phrasecut', [
      { original_id: 1, task_id: '1__0', boxes: [[2, 2, 10, 6]], mask: mask(2, 2, 11, 7) },
      { original_id: 2, task_id: '2__0', boxes: [], mask: mask(0, 0, 29, 39) },
    ]);
    const { results, warnings } = await fixture.evaluate({ task: 'phrasecut', annotations, groundTruth, predictions });
    expect(warnings).toEqual([expect.stringMatching(/1 of 3 phrases have no prediction; they were left out/)]);
    expect(results[0]!.metrics).toMatchObject({
      'Precision@0.5': 0.5,
      'Precision@0.9': 0.5,
      mean_box_iou: 0.5,
      mean_mask_iou: (1 + 0.5) / 2,
      cum_mask_iou: (60 + 1200) / (60 + 2400),
      'mask_Precision@0.5': 0.5,
      'mask_Precision@0.7': 0.5,
      'p_att/mean_mask_iou': 1,
      'p_name/mean_mask_iou': 0.5,
      'd_cocotv/mean_mask_iou': 1,
      's_large/mean_mask_iou': 0.5,
    });
    const boxesOnly = fixture.save('boxes.jsonl', 'phrasecut', [
      { original_id: 1, task_id: '1__0', boxes: [[2, 2, 10, 6]] },
      { original_id: 2, task_id: '2__0', boxes: [[0, 0, 60, 40]] },
    ]);
    const boxes = await fixture.evaluate({
      task: 'phrasecut',
      annotations,
      groundTruth,
      predictions: boxesOnly,
      limit: 1,
    });
    expect(boxes.results[0]!.metrics['Precision@0.9']).toBe(1);
    expect(boxes.results[0]!.metrics['mean_mask_iou']).toBeUndefined();
    expect(boxes.warnings).toEqual(['1 unmatched predictions (their rows are not evaluated).']);
  });

  it('gives the same results for the model with its masks and its saved predictions', async () => {
    const { results } = await fixture.expectRoundTrip({ task: 'phrasecut', annotations, groundTruth }, (lines) => {
      expect(lines.map(({ task_id }) => task_id)).toEqual(['1__0', '2__0']);
      for (const { mask: own } of lines) expect(own).toMatchObject({ size: [40, 60] });
    });
    expect(results[0]!.metrics).toHaveProperty('mean_mask_iou');
  });

  it('reports missing and damaged inputs', async () => {
    await expect(fixture.evaluate({ task: 'phrasecut', annotations, groundTruth, subset: 'test' })).rejects.toThrow(
      /refer_test\.json: cannot be read \(there is no such file/,
    );
    fixture.write('other/refer_miniv.json', [{ task_id: 5 }]);
    await expect(
      fixture.evaluate({ task: 'phrasecut', annotations, groundTruth: join(fixture.folder, 'other') }),
    ).rejects.toThrow(/refer_miniv\.json \[0\], field task_id/);
    fixture.write('other/refer_miniv.json', []);
    fixture.write('other/image_data_split.json', []);
    fixture.write('other/name_att_rel_count.json', { cat: [], att: [] });
    await expect(
      fixture.evaluate({ task: 'phrasecut', annotations, groundTruth: join(fixture.folder, 'other') }),
    ).rejects.toThrow(/refer_miniv\.json has no phrase 1__0/);
  });
});
