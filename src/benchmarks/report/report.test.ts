import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BenchmarkFixture, imageRow } from '../../../test/support/benchmark-fixture.ts';
import { CocoApEvaluator } from '../../metrics/coco-ap.ts';
import { matchDetections } from '../../metrics/average-precision.ts';
import { pairwiseIouXywh } from '../../geometry/box-overlap.ts';
import type { BoxXywh, BoxXyxy } from '../../geometry/boxes.ts';
import { Random } from '../../random/random.ts';
import { bootstrap, RatioByImage } from './bootstrap.ts';
import { judgeCaption } from './caption-errors.ts';
import { Inspection } from './inspection.ts';
import { reportNumbers } from './report-numbers.ts';
import { AT_50, AT_ALL, WeightedPrecision } from './weighted-precision.ts';
import { checkReportFolder, writeReportPage } from './write-report.ts';

describe('weighted average precision', () => {
  /** Random objects, and detections near them, of ten images. */
  const images = Array.from({ length: 10 }, (_, id) => {
    const random = Random.of(7, id);
    const objects = Array.from({ length: 3 }, (): BoxXywh => [random.below(80), random.below(80), 20, 20]);
    const boxes = objects.flatMap((box) => [
      box.map((value) => value + random.between(-4, 4)) as unknown as BoxXywh,
      [random.below(80), random.below(80), 20, 20] as BoxXywh,
    ]);
    const scores = boxes.map(() => random.uniform()).sort((a, b) => b - a);
    return { id, objects, boxes, scores };
  });
  const table = new WeightedPrecision();
  for (const { id, objects, boxes, scores } of images) {
    const zeros = objects.map(() => 0);
    const { matched } = matchDetections(
      { areas: objects.map(() => 400), ignored: zeros, crowd: zeros, counts: objects.map(() => 1) },
      { scores, areas: boxes.map(() => 400), overlaps: pairwiseIouXywh(boxes, objects, zeros) },
    );
    scores.forEach((score, d) => table.add(id, score, matched[d]!));
    table.expect(id, objects.length);
  }
  /** Average precision by COCO's evaluator, with images as often as `weights` says. */
  const reference = (weights: readonly number[]): readonly number[] => {
    const copies = images.flatMap((image) => Array.from({ length: weights[image.id]! }, () => image));
    const evaluator = new CocoApEvaluator(
      {
        images: copies.map((_, id) => ({ id, width: 100, height: 100 })),
        annotations: copies.flatMap(({ objects }, id) =>
          objects.map((bbox) => ({ image_id: id, category_id: 1, bbox, area: 400 })),
        ),
      },
      { iouType: 'bbox' },
    );
    copies.forEach(({ boxes, scores }, id) => evaluator.addXywh(id, { boxes, scores }));
    return evaluator.stats();
  };

  it('is that of the COCO evaluator', () => {
    const [ap, ap50] = reference(images.map(() => 1));
    expect(table.average(undefined, AT_ALL)).toBeCloseTo(ap!, 6);
    expect(table.average(undefined, AT_50)).toBeCloseTo(ap50!, 6);
    expect(ap).toBeGreaterThan(0.1);
  });

  it('counts an image as often as its weight says', () => {
    // Copies of an image have equal scores, whose order is not defined: the weights keep precision the same at their end.
    const weights = [2, 0, 1, 3, 0, 1, 1, 0, 2, 1];
    expect(table.average(weights, AT_ALL)).toBeCloseTo(reference(weights)[0]!, 1);
  });

  it('is not a number without objects', () => expect(new WeightedPrecision().average(undefined, AT_50)).toBeNaN());
});

describe('bootstrap', () => {
  const ratio = new RatioByImage();
  for (let image = 0; image < 100; image++) ratio.add(image, Number(image < 50), 1);
  const estimate = (seed: number) =>
    bootstrap({ half: (weights) => ratio.value(weights) }, { images: 100, seed, rounds: 400 }).half;

  it('gives the interval of a proportion', () => {
    const { value, low, high } = estimate(1);
    expect(value).toBe(0.5);
    // ± 1.96 √(0.25 / 100)
    expect(low).toBeCloseTo(0.402, 1);
    expect(high).toBeCloseTo(0.598, 1);
  });

  it('is decided by the seed', () => {
    expect(estimate(1)).toEqual(estimate(1));
    expect(estimate(2)).not.toEqual(estimate(1));
  });

  it('has no width where all images are equal', () => {
    const all = new RatioByImage();
    for (let image = 0; image < 5; image++) all.add(image, 1, 1);
    expect(bootstrap({ all: (w) => all.value(w) }, { images: 5, seed: 1, rounds: 50 }).all).toEqual({
      value: 1,
      low: 1,
      high: 1,
    });
  });
});

describe('errors by kind', () => {
  const dogs: BoxXyxy[] = [[0, 0, 10, 10], [20, 0, 30, 10]]; // prettier-ignore
  const phrases = [
    { spans: [{ start: 0, end: 3 }], boxes: dogs },
    { spans: [{ start: 5, end: 8 }], boxes: [[50, 0, 60, 10] as BoxXyxy] },
    { spans: [{ start: 10, end: 15 }], boxes: [] },
  ];
  const [dog, cat, zebra] = phrases.map(({ spans }) => spans);
  const judge = (...detections: (readonly [BoxXyxy, typeof dog])[]) =>
    judgeCaption(
      phrases,
      detections.map(([box, spans]) => ({ box, spans: spans! })),
    );
  const outcomes = (...detections: (readonly [BoxXyxy, typeof dog])[]) =>
    judge(...detections).detections.map(({ outcome }) => outcome);

  it('tells a second box of an object from a box of another one', () =>
    expect(outcomes([[0, 0, 10, 10], dog], [[0, 0, 10, 9], dog], [[20, 0, 30, 9], dog])).toEqual([
      'correct',
      'twice',
      'correct',
    ]));

  it('tells a wrong place from the box of another phrase', () =>
    expect(outcomes([[70, 50, 80, 60], dog], [[50, 0, 60, 10], dog], [[0, 0, 10, 10], cat])).toEqual([
      'place',
      'phrase',
      'phrase',
    ]));

  it('names boxes of absent phrases, and words without ground truth', () =>
    expect(outcomes([[0, 0, 10, 10], zebra], [[0, 0, 10, 10], [{ start: 17, end: 20 }]], [[0, 0, 1, 1], []])).toEqual([
      'absent',
      'unjudged',
      'unjudged',
    ]));

  it('lists missed objects', () =>
    expect(judge([[0, 0, 10, 10], dog]).missed).toEqual([
      { phrase: 0, box: dogs[1] },
      { phrase: 1, box: [50, 0, 60, 10] },
    ]));
});

describe('the page of a report', () => {
  let fixture: BenchmarkFixture;
  let folder: string;
  const hostile = '<img src=x onerror=alert(1)> & "red" cube';

  beforeAll(async () => {
    fixture = await BenchmarkFixture.create();
    folder = join(fixture.folder, 'report');
  });
  afterAll(() => fixture.remove());

  const write = async () => {
    const at = hostile.indexOf('cube');
    const annotation = { category_id: 1, iscrowd: 0, tokens_positive: [[at, at + 4]], bbox: [0, 0, 10, 10], area: 100 };
    const annotations = fixture.write('rows.json', {
      images: [imageRow(1, hostile), imageRow(2, 'a sphere', { tokens_negative: [[0, 8]] })],
      annotations: [{ ...annotation, id: 1, image_id: 1 }],
    });
    const inspector = new Inspection({ threshold: 0.001 });
    const { results } = await fixture.evaluate({ task: 'coco', annotations, inspector });
    const content = { title: hostile, facts: [['model', 'default']] as const, results };
    return { ...(await writeReportPage(folder, inspector, content)), results, inspector };
  };

  it('is one file without scripts and requests, in which texts are escaped', async () => {
    const { path, numbers } = await write();
    const html = readFileSync(path, 'utf8');
    expect(html).toContain("default-src 'none'; img-src data:");
    expect(html).not.toMatch(/<script|<link|javascript:|onerror=alert\(1\)>|https?:\/\/(?!www\.w3\.org)/);
    expect(html).toContain('&#60;img src=x onerror=alert(1)&#62; &#38; &#34;red&#34; cube');
    const sources = [...html.matchAll(/src="([^"]*)"/g)].map(([, source]) => source!);
    expect(sources.length).toBeGreaterThanOrEqual(2);
    for (const source of sources) expect(source).toMatch(/^data:image\/webp;base64,[\w+/=]{200,}$/);
    expect(numbers).toMatchObject({ images: 2, captions: 2, objects: 1, absent: 1 });
    for (const name of ['Metrics', 'Precision and recall', 'Confusion', 'Errors by kind', 'Worst cases'])
      expect(html).toContain(`<h2>${name}</h2>`);
  });

  it('has the values of the benchmarks', async () => {
    const { numbers, results, inspector } = await write();
    const value = (id: string) => numbers!.metrics.find((metric) => metric.id === id)?.value;
    expect(value('box_ap_50')).toBeCloseTo(results[0]!.metrics['bbox_AP50']!, 6);
    expect(value('box_ap')).toBeCloseTo(results[0]!.metrics['bbox_AP']!, 6);
    expect(reportNumbers(inspector)).toEqual(numbers);
    const { rows, columns, counts } = numbers!.confusion;
    expect([rows.at(-1), columns.at(-1), counts.length]).toEqual(['nothing there', 'missed', rows.length]);
  });

  it('replaces an older report and no other page', async () => {
    await write();
    expect(() => checkReportFolder(folder, '--report x')).not.toThrow();
    const other = join(fixture.folder, 'site');
    mkdirSync(other);
    writeFileSync(join(other, 'index.html'), '<!doctype html><title>mine</title>');
    expect(() => checkReportFolder(other, '--report x')).toThrow('is no report of mdetr; choose another folder');
    expect(existsSync(join(other, 'index.html'))).toBe(true);
  });

  it('needs the outputs of the model for all captions', async () => {
    const annotations = fixture.write('one.json', { images: [imageRow(1, 'a cube')], annotations: [] });
    const saved = fixture.save('saved.jsonl', 'coco', []);
    const call = fixture.evaluate({ task: 'coco', annotations, predictions: saved, inspector: new Inspection() });
    await expect(call).rejects.toThrow('leave out --predictions');
  });
});
