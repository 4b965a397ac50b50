import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageRoots } from '../data/images/node/image-roots.ts';
import { maskFromDense, packMask } from '../geometry/run-lengths.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { MDETR } from '../inference/node/mdetr.ts';
import { evaluateBenchmark, type BenchmarkTaskOptions } from './benchmark-task.ts';
import { CategoryBest } from './lvis-task.ts';
import { promptOf } from './lvis-ground-truth.ts';
import type { TaskReport } from './task-report.ts';
import { validateAnnotations, type ValidationTask } from './validation.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-benchmarks-'));
let model: MDETR;

const write = (name: string, value: unknown): string => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
};

const savedAs = (name: string, kind: string, predictions: readonly unknown[]): string =>
  write(name, [{ mdetr_predictions: kind }, ...predictions].map((line) => JSON.stringify(line)).join('\n'));

const evaluate = (
  options: Pick<BenchmarkTaskOptions, 'task' | 'annotations'> & Partial<BenchmarkTaskOptions>,
): Promise<TaskReport> =>
  evaluateBenchmark(options.predictions === undefined ? model : undefined, {
    images: [folder],
    batchSize: 2,
    onBadRow: 'stop',
    criterion: 'giou',
    limitBy: 'category',
    masks: false,
    wantsSubmission: false,
    worst: 0,
    ...options,
  });

const validate = async (annotations: string, task: ValidationTask): Promise<Metrics> => {
  const { metrics } = await validateAnnotations(model, {
    ...{ annotations, images: ImageRoots.of(folder), tasks: [task] },
    ...{ limit: 0, batchSize: 2, onBadRow: 'stop' },
  });
  return metrics;
};

beforeAll(async () => {
  model = await MDETR.fromPretrained('default', { cacheDir: join(folder, 'cache') });
  for (const name of ['1.png', '2.png', 'val2017/7.png', 'val2017/8.png']) {
    const path = write(name, '');
    const create = { width: 60, height: 40, channels: 3, background: { r: 90, g: 120, b: name.length * 20 } } as const;
    await sharp({ create }).png().toFile(path);
  }
});

afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const imageRow = (id: number, caption: string, more: Record<string, unknown> = {}) => ({
  id,
  file_name: `${id}.png`,
  width: 60,
  height: 40,
  caption,
  ...more,
});

/** What the model says is the same whether it is asked now or was asked before. */
const expectRoundTrip = async (
  options: Parameters<typeof evaluate>[0],
  whatIsSaved: (lines: Record<string, unknown>[]) => void,
): Promise<TaskReport> => {
  const savePredictions = join(folder, `${options.task}-saved.jsonl`);
  const direct = await evaluate({ ...options, savePredictions, worst: 5 });
  const lines = readFileSync(savePredictions, 'utf8').trim().split('\n');
  whatIsSaved(lines.slice(1).map((line) => JSON.parse(line) as Record<string, unknown>));
  const later = await evaluate({ ...options, predictions: savePredictions, worst: 5 });
  expect(later.results).toEqual(direct.results);
  expect(later.worst.map(({ quality, text }) => ({ quality, text }))).toEqual(
    direct.worst.map(({ quality, text }) => ({ quality, text })),
  );
  for (const { picture: image } of later.worst) expect((await image()).length).toBeGreaterThan(100);
  return direct;
};

describe('Flickr30k', () => {
  const object = (entity: number, [xmin, ymin, xmax, ymax]: readonly [number, number, number, number]): string =>
    `<object><name>${entity}</name><bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`;
  const xml = (id: number, objects: string): string =>
    `<annotation><filename>${id}.jpg</filename><size><width>60</width><height>40</height><depth>3</depth></size>${objects}</annotation>`;
  let annotations: string;
  let truth: string;

  beforeAll(() => {
    truth = join(folder, 'entities');
    write('entities/val.txt', '1\n2\n');
    // Entity 5 has two boxes; entity 6 none.
    write('entities/Annotations/1.xml', xml(1, object(5, [0, 0, 10, 10]) + object(5, [20, 0, 30, 10])));
    write('entities/Annotations/2.xml', xml(2, object(7, [0, 0, 20, 20])));
    write('entities/Sentences/1.txt', '[/EN#5/people Two men] at [/EN#6/scene a beach]\nNothing is seen .\n');
    write('entities/Sentences/2.txt', '[/EN#7/animals/other A dog] with [/EN#7/animals a dog]\n');
    annotations = write('final_flickr_separateGT_val.json', {
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

  it('gives recall by both protocols, over all and by category, exactly', async () => {
    const [far, left, enclosing] = [[40, 20, 60, 40], [0, 0, 10, 9], [0, 0, 30, 10]]; // prettier-ignore
    const predictions = savedAs('flickr.jsonl', 'flickr', [
      { image_id: 1, sentence_id: 0, boxes: [[far, left, enclosing]] },
      { image_id: 2, sentence_id: 0, boxes: [[[0, 0, 20, 18], far], [far, far, far, far, far, [0, 0, 20, 20]]] }, // prettier-ignore
    ]);
    const { results, warnings } = await evaluate({ task: 'flickr', annotations, truth, predictions });
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
    // The hull of the two men is found by the third box, which is no one man's.
    expect(merged!.metrics).toMatchObject({ 'Recall@1_all': 1 / 3, 'Recall@5_people': 1, Upper_bound_people: 1 });
    const swapped = savedAs('flickr2.jsonl', 'flickr', [
      { image_id: '1', sentence_id: 0, boxes: [[enclosing]] },
      { image_id: 2, sentence_id: 0, boxes: [[far], [far]] },
    ]);
    const again = await evaluate({ task: 'flickr', annotations, truth, predictions: swapped });
    expect(again.results.map(({ metrics }) => metrics['Recall@1_people'])).toEqual([0, 1]);
  });

  it('runs the model, and evaluates what was saved to the same numbers', async () => {
    await expectRoundTrip({ task: 'flickr', annotations, truth }, (lines) => {
      expect(lines.map(({ boxes }) => (boxes as unknown[]).length)).toEqual([1, 2]);
    });
  });

  it('is the same in validation, without categories', async () => {
    const { results } = await evaluate({ task: 'flickr', annotations, truth });
    const metrics = await validate(annotations, { task: 'flickr', truth, subset: 'val' });
    for (const k of ['Recall@1', 'Recall@5', 'Recall@10']) {
      expect(metrics[`${k}_all`]).toBe(results[0]!.metrics[`${k}_all`]);
      expect(metrics[`merged/${k}_all`]).toBe(results[1]!.metrics[`${k}_all`]);
    }
    expect(Object.keys(metrics).filter((name) => !name.endsWith('_all'))).toEqual([]);
  });

  it('counts only the rows that are looked at under a limit', async () => {
    const { results } = await evaluate({ task: 'flickr', annotations, truth, limit: 1 });
    expect(results[0]!.count).toBe(1);
    expect(Object.keys(results[0]!.metrics)).not.toContain('Recall@1_animals');
  });

  it('says what it misses', async () => {
    await expect(evaluate({ task: 'flickr', annotations })).rejects.toThrow(/needs --truth DIR/);
    const unnamed = write('rows.json', { images: [imageRow(1, 'a dog')], annotations: [] });
    await expect(evaluate({ task: 'flickr', annotations: unnamed, truth })).rejects.toThrow(/say by --subset/);
    await expect(evaluate({ task: 'flickr', annotations: unnamed, truth, subset: 'val' })).rejects.toThrow(
      /row with image id 1 has no "original_img_id"/,
    );
    write('entities/test.txt', '1\n3\n');
    await expect(evaluate({ task: 'flickr', annotations, truth, subset: 'test' })).rejects.toThrow(
      /Annotations.3\.xml: cannot be read/,
    );
    const missing = savedAs('missing.jsonl', 'flickr', [{ image_id: 1, sentence_id: 0, boxes: [[[0, 0, 1, 1]]] }]);
    await expect(evaluate({ task: 'flickr', annotations, truth, predictions: missing })).rejects.toThrow(
      /No prediction for 1 of 2 sentences/,
    );
    const unmatched = savedAs('stranger.jsonl', 'flickr', [{ image_id: 9, sentence_id: 0, boxes: [] }]);
    await expect(evaluate({ task: 'flickr', annotations, truth, predictions: unmatched })).rejects.toThrow(
      /holds no prediction for any of these rows/,
    );
  });
});

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
  const truth = join(folder, 'phrasecut');

  beforeAll(() => {
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
    write('phrasecut/refer_miniv.json', [
      task('1__0', 1, 'red cube', [2, 2, 10, 6], rectangle(2, 2, 11, 7), ['red']),
      task('2__0', 2, 'cube', [0, 0, 60, 40], rectangle(0, 0, 59, 39), []),
      task('9__9', 2, 'nobody asks', [0, 0, 5, 5], rectangle(0, 0, 4, 4), []),
    ]);
    const image = { width: 60, height: 40, split: 'miniv' };
    write('phrasecut/image_data_split.json', [
      { image_id: 1, ...image, coco_id: 11 },
      { image_id: 2, ...image, coco_id: null },
      { image_id: 3, ...image, split: 'train' },
    ]);
    write('phrasecut/name_att_rel_count.json', { cat: [['cube', 5]], att: [['red', 3]], rel: [] });
    annotations = write('finetune_phrasecut_miniv.json', {
      images: [
        imageRow(1, 'red cube', { original_id: 1, task_id: '1__0' }),
        imageRow(2, 'cube', { original_id: 2, task_id: '2__0' }),
      ],
      annotations: [],
    });
  });

  it('is the same in validation, without subsets', async () => {
    const { results } = await evaluate({ task: 'phrasecut', annotations, truth });
    const whole = Object.entries(results[0]!.metrics).filter(([name]) => !name.includes('/'));
    expect(whole.map(([name]) => name)).toContain('mean_mask_iou');
    const metrics = await validate(annotations, { task: 'phrasecut', truth, subset: 'miniv' });
    expect(metrics).toEqual(Object.fromEntries(whole));
  });

  it('gives boxes, masks and subsets, exactly', async () => {
    const predictions = savedAs('phrasecut.jsonl', 'phrasecut', [
      { original_id: 1, task_id: '1__0', boxes: [[2, 2, 10, 6]], mask: mask(2, 2, 11, 7) },
      { original_id: 2, task_id: '2__0', boxes: [], mask: mask(0, 0, 29, 39) },
    ]);
    const { results, warnings } = await evaluate({ task: 'phrasecut', annotations, truth, predictions });
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
    const boxesOnly = savedAs('boxes.jsonl', 'phrasecut', [
      { original_id: 1, task_id: '1__0', boxes: [[2, 2, 10, 6]] },
      { original_id: 2, task_id: '2__0', boxes: [[0, 0, 60, 40]] },
    ]);
    const boxes = await evaluate({ task: 'phrasecut', annotations, truth, predictions: boxesOnly, limit: 1 });
    expect(boxes.results[0]!.metrics['Precision@0.9']).toBe(1);
    expect(boxes.results[0]!.metrics['mean_mask_iou']).toBeUndefined();
    expect(boxes.warnings).toEqual(['1 predictions are of rows that are not asked about.']);
  });

  it('runs the model with its masks, and evaluates what was saved to the same numbers', async () => {
    const { results } = await expectRoundTrip({ task: 'phrasecut', annotations, truth }, (lines) => {
      expect(lines.map(({ task_id }) => task_id)).toEqual(['1__0', '2__0']);
      for (const { mask: own } of lines) expect(own).toMatchObject({ size: [40, 60] });
    });
    expect(results[0]!.metrics).toHaveProperty('mean_mask_iou');
  });

  it('says what it misses', async () => {
    await expect(evaluate({ task: 'phrasecut', annotations, truth, subset: 'test' })).rejects.toThrow(
      /refer_test\.json: cannot be read \(there is no such file/,
    );
    write('other/refer_miniv.json', [{ task_id: 5 }]);
    await expect(evaluate({ task: 'phrasecut', annotations, truth: join(folder, 'other') })).rejects.toThrow(
      /refer_miniv\.json \[0\], field task_id/,
    );
    write('other/refer_miniv.json', []);
    write('other/image_data_split.json', []);
    write('other/name_att_rel_count.json', { cat: [], att: [] });
    await expect(evaluate({ task: 'phrasecut', annotations, truth: join(folder, 'other') })).rejects.toThrow(
      /refer_miniv\.json has no phrase 1__0/,
    );
  });
});

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
    annotations = write('lvis_v1_minival.json', {
      info: {},
      // Out of order on purpose.
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

  it.each(['category', 'image'] as const)('gives AP of rare, common and frequent categories (%s)', async (limitBy) => {
    const predictions = savedAs('lvis.jsonl', 'lvis', [
      {
        image_id: 7,
        scores: [0.9, 0.5, 0.8],
        labels: [1, 2, 3],
        // A cube in image 7, where nobody looked for cubes, is no mistake.
        boxes: [[0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 5, 5]], // prettier-ignore
      },
      // A ball in image 8, where there is surely none, is one; and the cube is missed.
      { image_id: 8, scores: [0.9, 0.4], labels: [2, 3], boxes: [[0, 0, 5, 5], [30, 30, 40, 40]] }, // prettier-ignore
    ]);
    const { results } = await evaluate({ task: 'lvis', annotations, limitBy, predictions });
    const { metrics, title, count } = results[0]!;
    expect({ title, count }).toEqual({ title: limitBy === 'image' ? 'lvis' : 'lvis, fixed AP', count: 2 });
    expect(metrics['bbox_APr']).toBeCloseTo(1, 9);
    expect(metrics['bbox_APc']).toBeCloseTo(0.5, 9);
    expect(metrics['bbox_APf']).toBeCloseTo(0, 9);
    expect(metrics['bbox_AP']).toBeCloseTo(0.5, 9);
    const first = await evaluate({ task: 'lvis', annotations, limitBy, predictions, limit: 1 });
    expect(first.results[0]!.metrics['bbox_APc']).toBeCloseTo(1, 9);
  });

  it.each(['category', 'image'] as const)(
    'asks for every category in every picture, and evaluates what was saved alike (%s)',
    async (limitBy) => {
      const progress: number[] = [];
      await expectRoundTrip(
        { task: 'lvis', annotations, limitBy, batchSize: 1, onProgress: (done) => progress.push(done) },
        (lines) => {
          expect(lines.map(({ image_id }) => image_id)).toEqual([7, 8]);
          const labels = lines[0]!['labels'] as number[];
          // 14 queries for each of three categories, by rising id.
          expect(labels).toEqual([1, 2, 3].flatMap((id) => Array<number>(14).fill(id)));
        },
      );
      expect(progress).toEqual([1, 2]);
    },
  );

  it('goes on where it was stopped', async () => {
    const savePredictions = join(folder, 'lvis-resumed.jsonl');
    const options = { task: 'lvis', annotations, savePredictions } as const;
    const whole = await evaluate(options);
    const [header, first] = readFileSync(savePredictions, 'utf8').split('\n');
    writeFileSync(savePredictions, `${header!}\n${first!}\n`);
    const asked: number[] = [];
    const resumed = await evaluate({ ...options, resume: true, onProgress: (done) => asked.push(done) });
    expect(asked).toEqual([2]);
    expect(resumed.results).toEqual(whole.results);
  });

  it('asks as the official script does', () => {
    expect(promptOf('flip-flop_(sandal)')).toBe('flip-flop ');
    expect(promptOf('baby_buggy')).toBe('baby buggy');
  });

  it('saves what can still count, and no more', () => {
    const { filter } = new CategoryBest(2);
    const saved = [5, 1, 3, 4, 4, 6, 2, 5].map(
      (score, at) => filter({ image_id: at, scores: [score], labels: [1], boxes: [[0, 0, 1, 1]] }).scores,
    );
    // After four the second best was 4: only what is above it can count.
    expect(saved).toEqual([[5], [1], [3], [4], [], [6], [], [5]]);
  });

  it('says what is wrong with a file', async () => {
    const broken = (value: Record<string, unknown>): string =>
      write('lvis-broken.json', { images: [image(7, [])], annotations: [], categories: [{ id: 1, name: 'a', frequency: 'r' }], ...value }); // prettier-ignore
    const expectError = (value: Record<string, unknown>, message: RegExp): Promise<void> =>
      expect(evaluate({ task: 'lvis', annotations: broken(value) })).rejects.toThrow(message);
    await expectError({ categories: [{ id: 1, name: 'a' }] }, /categories\[0\], field frequency/);
    await expectError(
      { images: [{ ...image(7, []), coco_url: 'http://images.example/../7.png' }] },
      /images\[0\], field coco_url/,
    );
    await expectError({ images: [{ ...image(7, []), neg_category_ids: undefined }] }, /field neg_category_ids/);
    await expectError({ images: [] }, /has no images or no categories/);
    await expect(evaluate({ task: 'lvis', annotations, images: ['a', 'b'] })).rejects.toThrow(/one --images DIR/);
  });
});

describe('questions', () => {
  const question = (index: number, words: string, answer: string | undefined, last: string) => ({
    image_filename: `${1 + (index % 2)}.png`,
    question: words,
    question_index: index,
    ...(answer === undefined ? {} : { answer }),
    program: [{ function: 'scene' }, { function: last }],
  });
  const questions = (answers: readonly (string | undefined)[]) => ({
    info: {},
    questions: [
      question(10, 'how many cubes are there?', answers[0], 'count'),
      question(11, 'is there a red cube?', answers[1], 'exist'),
    ],
  });

  it('of CLEVR: accuracy by family, from the question file or beside an annotation file', async () => {
    const file = write('CLEVR_val_questions.json', questions(['3', 'no']));
    const predictions = savedAs('clevr.jsonl', 'clevr', [
      { questionId: 11, prediction: 'no', type: 'binary' },
      { questionId: 10, prediction: '2', type: 'reg' },
    ]);
    const { results } = await evaluate({ task: 'clevr', annotations: file, predictions });
    expect(results[0]!.metrics).toMatchObject({
      accuracy: 0.5,
      'question/count': 0,
      'question/exist': 1,
      type_accuracy: 1,
    });
    const rows = write('clevr_rows.json', {
      images: [{ ...imageRow(1, 'is there a red cube?', { answer: 'no' }), file_name: '2.png' }],
      annotations: [],
    });
    const byRow = savedAs('clevr2.jsonl', 'clevr', [{ questionId: 1, prediction: 'yes' }]);
    const beside = await evaluate({ task: 'clevr', annotations: rows, truth: file, predictions: byRow });
    expect(beside.results[0]!.metrics).toEqual({
      accuracy: 0,
      'answer/binary': 0,
      'function/exist': 0,
      'question/exist': 0,
    });
    const other = write('other_questions.json', { questions: [] });
    await expect(evaluate({ task: 'clevr', annotations: rows, truth: other, predictions: byRow })).rejects.toThrow(
      /has only 0 of the 1 questions that are asked/,
    );
  });

  it('of CLEVR: runs the model, also over a test set, and writes what the server takes', async () => {
    const val = write('CLEVR_val_questions.json', questions(['3', 'no']));
    await expectRoundTrip({ task: 'clevr', annotations: val }, (lines) => expect(lines).toHaveLength(2));
    const test = write('CLEVR_test_questions.json', questions([undefined, undefined]));
    await expect(evaluate({ task: 'clevr', annotations: test })).rejects.toThrow(/has no "answer".*--submission FILE/);
    const { results, warnings, submission } = await evaluate({
      task: 'clevr',
      annotations: test,
      wantsSubmission: true,
    });
    expect(results[0]!.metrics).toEqual({});
    expect(warnings).toEqual(['the file has no answers, so there is nothing to measure']);
    expect(submission!().trim().split('\n')).toHaveLength(2);
  });

  it('of CLEVR-Humans: its own file, and the prepared one of the same name', async () => {
    const own = { image_filename: '1.png', question: 'any red thing?', answer: 'yes' };
    const predictions = savedAs('humans.jsonl', 'clevr', [{ questionId: 0, prediction: 'yes' }]);
    for (const content of [
      { questions: [own] },
      { images: [{ ...imageRow(0, own.question, { answer: own.answer }), file_name: '1.png' }], annotations: [] },
    ]) {
      const annotations = write('CLEVR-Humans-val.json', content);
      const { results } = await evaluate({ task: 'clevr', annotations, predictions });
      expect(results[0]!.metrics).toMatchObject({ accuracy: 1 });
    }
    const file = write('CLEVR-Humans-val.json', { questions: [own] });
    await expect(evaluate({ task: 'coco', annotations: file, predictions })).rejects.toThrow(/--task clevr measures/);
    const broken = write('CLEVR-Humans-test.json', '{"questions": [');
    await expect(evaluate({ task: 'clevr', annotations: broken, predictions })).rejects.toThrow(/CLEVR-Humans-test/);
  });

  it("of GQA: accuracy by type, more with GQA's own file, and the server's file", async () => {
    const annotations = write('finetune_gqa_testdev_balanced.json', {
      images: [
        imageRow(1, 'Is there a dog?', { answer: 'yes', question_type: 'obj', questionId: '201' }),
        imageRow(2, 'What colour is it?', { answer: 'red', question_type: 'attr', questionId: '202' }),
      ],
      annotations: [],
    });
    const predictions = savedAs('gqa.jsonl', 'gqa', [
      { questionId: '201', prediction: 'yes', type: 'obj' },
      { questionId: '202', prediction: 'blue', type: 'obj' },
    ]);
    const { results, submission } = await evaluate({ task: 'gqa', annotations, predictions });
    expect(results[0]!.metrics).toMatchObject({
      accuracy: 0.5,
      'semantic/obj': 1,
      'semantic/attr': 0,
      type_accuracy: 0.5,
    });
    expect(JSON.parse(submission!())).toEqual([
      { questionId: '201', prediction: 'yes' },
      { questionId: '202', prediction: 'blue' },
    ]);
    const types = (structural: string) => ({ structural, semantic: 'obj', detailed: 'exist' });
    const truth = write('testdev_balanced_questions.json', {
      '201': { question: 'Is there a dog?', isBalanced: true, types: types('verify'), semantic: [] },
      '202': { question: 'What colour is it?', isBalanced: true, types: types('query'), semantic: [] },
      '203': { question: 'Not asked', types: types('query') },
    });
    const more = await evaluate({ task: 'gqa', annotations, predictions, truth });
    expect(more.results[0]!.metrics).toMatchObject({
      'structural/verify': 1,
      'structural/query': 0,
      binary: 1,
      open: 0,
    });
  });
});

describe('boxes', () => {
  let annotations: string;

  beforeAll(() => {
    const own = { category_id: 1, iscrowd: 0, tokens_positive: [[0, 8]], bbox: [0, 0, 10, 10], area: 100 };
    annotations = write('boxes.json', {
      images: [imageRow(1, 'red cube'), imageRow(2, 'red cube')],
      annotations: [
        { ...own, id: 1, image_id: 1, segmentation: [[0, 0, 10, 0, 10, 10, 0, 10]] },
        { ...own, id: 2, image_id: 2, segmentation: [[0, 0, 10, 0, 10, 10, 0, 10]] },
      ],
    });
  });

  it('of expressions: the model, and what was saved, with pictures of the worst', async () => {
    const { worst } = await expectRoundTrip({ task: 'refexp', annotations }, (lines) => {
      expect(lines[0]).toHaveProperty('scores_refexp');
    });
    expect(worst.length).toBeGreaterThan(0);
  });

  it('stops between batches when told to, and keeps what was saved', async () => {
    const stop = new AbortController();
    const savePredictions = join(folder, 'stopped.jsonl');
    const options = { task: 'refexp', annotations, batchSize: 1, savePredictions } as const;
    const stopped = evaluate({
      ...options,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('stopped by SIGINT')),
    });
    await expect(stopped).rejects.toThrow('stopped by SIGINT');
    const kept = readFileSync(savePredictions, 'utf8');
    expect(kept.trim().split('\n')).toHaveLength(2);
    // As if killed in the middle of a line.
    writeFileSync(savePredictions, `${kept}{"image_id": 2, "sco`);
    const asked: number[] = [];
    const onProgress = (done: number): unknown => asked.push(done);
    const resumed = await evaluate({ ...options, resume: true, onProgress });
    expect(asked).toEqual([2]);
    expect(resumed.results).toEqual((await evaluate({ task: 'refexp', annotations })).results);
    expect(readFileSync(savePredictions, 'utf8').startsWith(kept)).toBe(true);
    expect((await evaluate({ ...options, resume: true, onProgress })).results).toEqual(resumed.results);
    expect(asked).toEqual([2]);
  });

  it('of COCO, with masks where the model has them', async () => {
    const { results } = await expectRoundTrip({ task: 'coco', annotations, masks: true }, (lines) => {
      expect(lines[0]!['masks']).toHaveLength(14);
    });
    expect(results.map(({ title }) => title)).toEqual(['coco', 'coco, masks']);
    expect(results[1]!.metrics).toHaveProperty('segm_AP');
  });

  it('of phrases, with the file itself as the truth', async () => {
    const predictions = savedAs('phrases.jsonl', 'flickr', [
      { image_id: '1', sentence_id: 0, boxes: [[[0, 0, 10, 9]]] },
      { image_id: '2', sentence_id: 0, boxes: [[[30, 30, 40, 40]]] },
    ]);
    const { results, worst } = await evaluate({ task: 'phrases', annotations, predictions, worst: 3 });
    expect(results[0]!.metrics['Recall@1_all']).toBe(0.5);
    expect(worst.map(({ quality }) => quality)).toEqual([0]);
    await expectRoundTrip({ task: 'phrases', annotations }, () => undefined);
  });
});
