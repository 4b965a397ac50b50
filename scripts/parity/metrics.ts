/**
 * Compares every metric with the reference implementations:
 *
 *     npm run parity:metrics [-- FOLDER]
 *
 * FOLDER contains the reference cases of the evaluators (default: ../shared/reference/evaluators, else the copy among the
 * test fixtures). Prints a table; exit status 1 if a difference is above 1e-6 (AP against pycocotools and lvis: 1e-9).
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { maskFromDense, packMask } from '../../src/geometry/run-lengths.ts';
import { CocoApEvaluator } from '../../src/metrics/coco-ap.ts';
import { type CocoGroundTruth } from '../../src/metrics/coco-ap-data.ts';
import { FlickrRecallEvaluator, type FlickrGroundTruth } from '../../src/metrics/flickr-recall.ts';
import { boxesIou, paintBoxes, PhraseCutEvaluator } from '../../src/metrics/phrasecut.ts';
import { type PhraseCutGroundTruth } from '../../src/metrics/phrasecut-data.ts';
import { fillPolygonPillow } from '../../src/geometry/pillow-polygon.ts';
import { GqaEvaluator, type GqaQuestion } from '../../src/metrics/gqa.ts';
import type { AnswerPrediction, FlickrPrediction } from '../../src/metrics/predictions.ts';
import { RefexpPrecisionEvaluator } from '../../src/metrics/refexp-precision.ts';
import { alignColumns } from '../../src/metrics/results-table.ts';
import { SmoothedValue, topKAccuracy } from '../../src/metrics/running-metrics.ts';
import { Difference, type Comparison, type Values } from './difference.ts';
import { compareRandomAp } from './ap.ts';

type Box = [number, number, number, number];

/** Flickr30k Entities: both protocols, all k and categories. */
const compareFlickr = (file: string): Comparison[] => {
  const data = readJson(file) as {
    imageIds: string[];
    files: Record<string, { xml: string }>;
    predictions: FlickrPrediction[];
    parsedSentences: Record<string, ({ phrase_id: string; phrase_type: string[] }[] | null)[]>;
    results: Record<'separate' | 'merged', Values>;
  };
  const groundTruth = data.imageIds.map((imageId): FlickrGroundTruth => {
    const boxes = new Map<string, Box[]>();
    for (const [, object] of data.files[imageId]!.xml.matchAll(/<object>(.*?)<\/object>/gs)) {
      const [, ...corners] =
        /<xmin>(\d+).*<ymin>(\d+).*<xmax>(\d+).*<ymax>(\d+)/s.exec(object!) ?? ([] as (string | undefined)[]);
      if (corners.length === 0) continue;
      for (const [, name] of object!.matchAll(/<name>(.*?)<\/name>/g)) {
        boxes.set(name!, [...(boxes.get(name!) ?? []), corners.map(Number) as Box]);
      }
    }
    return {
      imageId,
      boxes,
      sentences: data.parsedSentences[imageId]!.map((phrases) =>
        (phrases ?? []).map((phrase) => ({ phraseId: phrase.phrase_id, phraseTypes: phrase.phrase_type })),
      ),
    };
  });
  return (['separate', 'merged'] as const).map((protocol) => {
    const evaluator = new FlickrRecallEvaluator(groundTruth, { mergeBoxes: protocol === 'merged' });
    for (const prediction of data.predictions) evaluator.add(prediction);
    const title = protocol === 'merged' ? 'merged boxes' : 'any box';
    return new Difference(`Flickr30k Recall@k, ${title}`).addRecord(evaluator.summarize(), data.results[protocol])
      .comparison;
  });
};

interface RefexpFile {
  dataset: {
    images: { id: number; dataset_name: string }[];
    annotations: { image_id: number; bbox: Box }[];
  };
  results: Record<string, number[]>;
}

/** Referring expressions, and CLEVR-Ref+. */
const compareRefexp = (file: string): Comparison[] => {
  const data = readJson(file) as RefexpFile & {
    predictions: Record<string, { scores: number[]; boxes: Box[]; scores_refexp: number[] }>;
    clevrref: RefexpFile;
  };
  return (['refexp', 'clevrref'] as const).map((variant) => {
    const { dataset, results } = variant === 'refexp' ? data : data.clevrref;
    const groundTruth = dataset.images.map(({ id, dataset_name: datasetName }) => ({
      imageId: id,
      datasetName,
      boxesXywh: dataset.annotations.filter(({ image_id: imageId }) => imageId === id).map(({ bbox }) => bbox),
    }));
    const evaluator = new RefexpPrecisionEvaluator(groundTruth, { variant });
    for (const [id, prediction] of Object.entries(data.predictions)) evaluator.add({ image_id: id, ...prediction });
    const difference = new Difference(variant === 'refexp' ? 'RefCOCO/+/g Precision@k' : 'CLEVR-Ref+ Precision@k');
    const report = evaluator.report();
    for (const name of new Set([...Object.keys(results), ...Object.keys(report)])) {
      difference.addList(report[name] ?? [], results[name] ?? []);
    }
    return difference.comparison;
  });
};

/** COCO AP: class-agnostic and by category, boxes and masks; metrics, precision curve and recall. */
const compareCoco = (file: string): Comparison[] => {
  const data = readJson(file) as {
    dataset: CocoGroundTruth;
    predictions: Record<
      string,
      { scores: number[]; labels: number[]; boxes_xyxy: Box[]; masksRLE: { size: [number, number]; counts: string }[] }
    >;
    results: Record<
      'classAgnostic' | 'useCats',
      Record<'bbox' | 'segm', { stats: number[]; precision_iou50_all_max100: number[]; recall_all_max100: number[] }>
    >;
  };
  return (['classAgnostic', 'useCats'] as const).flatMap((mode) =>
    (['bbox', 'segm'] as const).map((iouType) => {
      const evaluator = new CocoApEvaluator(data.dataset, {
        iouType,
        useCategories: mode === 'useCats',
        idZero: 'missed',
      });
      for (const [id, { scores, labels, boxes_xyxy: boxes, masksRLE: masks }] of Object.entries(data.predictions)) {
        evaluator.add({ image_id: Number(id), scores, labels, boxes, masks });
      }
      const expected = data.results[mode][iouType];
      const [first] = evaluator.curves();
      return new Difference(`COCO AP ${iouType}, ${mode === 'useCats' ? 'by category' : 'class-agnostic'}`)
        .addList(evaluator.stats(), expected.stats)
        .addList(first!.precision.subarray(0, 101), expected.precision_iou50_all_max100)
        .addList(first!.recall, expected.recall_all_max100).comparison;
    }),
  );
};

interface PhraseCutStats {
  box_acc: number;
  mean_box_iou: number;
  pred_box_acc: Values;
  mean_mask_iou?: number;
  cum_mask_iou?: number;
  pred_mask_acc?: Values;
}

/** PhraseCut: all phrases and subsets, with boxes alone and with masks. */
const comparePhraseCut = (file: string): Comparison[] => {
  const data = readJson(file) as {
    refer: PhraseCutGroundTruth['tasks'];
    image_data_split: PhraseCutGroundTruth['images'];
    name_att_rel_count: PhraseCutGroundTruth['counts'];
    predictions: { original_id: number; task_id: string; boxes: Box[]; masks: string[] }[];
    perTask: { task_id: string; iouBoxes: number; iouMask: number; inter: number; union: number }[];
    results: Record<'boxesOnly' | 'withMasks', { summarize: Values; analyze: Record<string, PhraseCutStats> }>;
  };
  const groundTruth = { tasks: data.refer, images: data.image_data_split, counts: data.name_att_rel_count };
  return (['boxesOnly', 'withMasks'] as const).map((mode) => {
    const masks = mode === 'withMasks';
    const evaluator = new PhraseCutEvaluator(groundTruth, { masks });
    const difference = new Difference(`PhraseCut, ${masks ? 'boxes and masks' : 'boxes'}, all subsets`);
    for (const { masks: rows, ...prediction } of data.predictions) {
      const mask = packMask(maskFromDense(Uint8Array.from(rows.join(''), Number), rows.length, rows[0]!.length));
      evaluator.add({ ...prediction, mask });
    }
    for (const expected of data.perTask) {
      const found = evaluator.resultOf(expected.task_id);
      difference.add(found?.boxIou, expected.iouBoxes);
      if (!masks) continue;
      difference.add(found?.maskIou, expected.iouMask);
      difference.add(found?.intersection, expected.inter).add(found?.union, expected.union);
    }
    const { summarize, analyze } = data.results[mode];
    const metrics = evaluator.summarize();
    for (const [name, value] of Object.entries(summarize)) difference.add(metrics[name], value);
    const report = evaluator.report() as Readonly<Record<string, PhraseCutStats>>;
    for (const name of new Set([...Object.keys(analyze), ...Object.keys(report)])) {
      const [found, expected] = [report[name], analyze[name]];
      difference.add(found?.mean_box_iou, expected?.mean_box_iou ?? NaN);
      difference.addRecord(found?.pred_box_acc ?? {}, expected?.pred_box_acc ?? {});
      if (!masks) continue;
      difference.add(found?.mean_mask_iou, expected?.mean_mask_iou ?? NaN);
      difference.add(found?.cum_mask_iou, expected?.cum_mask_iou ?? NaN);
      difference.addRecord(found?.pred_mask_acc ?? {}, expected?.pred_mask_acc ?? {});
    }
    return difference.comparison;
  });
};

/** PhraseCut's rasterization of polygons and boxes, pixel by pixel. */
const comparePhraseCutRasters = (file: string): Comparison[] => {
  interface Raster {
    width: number;
    height: number;
    rows: string[];
  }
  const data = readJson(file) as {
    polygons: (Raster & { points: [number, number][] })[];
    boxes: Raster & { boxes_xywh: Box[] };
  };
  const pixels = ({ rows }: Raster): number[] => Array.from(rows.join(''), Number);
  const polygons = new Difference('PhraseCut polygon pixels');
  for (const polygon of data.polygons) {
    const canvas = new Uint8Array(polygon.width * polygon.height);
    fillPolygonPillow(canvas, polygon.width, polygon.height, polygon.points);
    polygons.addList(canvas, pixels(polygon));
  }
  const { boxes_xywh: boxes, width, height } = data.boxes;
  const painted = new Difference('PhraseCut box pixels').addList(paintBoxes(boxes, width, height), pixels(data.boxes));
  painted.add(boxesIou(boxes, boxes), 1);
  return [polygons.comparison, painted.comparison];
};

/** GQA: all scores of its own evaluation over 400 random questions (bench/fixtures/gqa_evaluation.py). */
const compareGqa = (file: string): Comparison[] => {
  const data = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
    questions: Record<string, Omit<GqaQuestion, 'questionId'>>;
    predictions: AnswerPrediction[];
    choices: Record<string, { valid: string[]; plausible: string[] }>;
    expected: Values;
  };
  const questions = Object.entries(data.questions).map(([questionId, question]) => ({ questionId, ...question }));
  const choices = new Map(Object.entries(data.choices));
  const evaluator = new GqaEvaluator(questions, { choices, consistency: true });
  for (const prediction of data.predictions) evaluator.add(prediction);
  // GQA's code does not report the detailed types.
  const found = Object.entries(evaluator.summarize()).filter(([name]) => !name.startsWith('detailed/'));
  return [new Difference('GQA scores').addRecord(Object.fromEntries(found), data.expected).comparison];
};

/** Running metrics of the training log, and top-k accuracy. */
const compareRunningMetrics = (file: string): Comparison[] => {
  const data = readJson(file) as {
    smoothed: { window: number; values: number[]; columns: string[]; rows: number[][]; str: string };
    accuracy: { logits: number[][]; target: number[]; topk: number[]; result: number[] };
  };
  const series = new SmoothedValue(data.smoothed.window);
  const smoothed = new Difference('running metrics');
  data.smoothed.values.forEach((value, step) => {
    series.update(value);
    const { median, average, globalAverage, max } = series;
    smoothed.addList([median, average, globalAverage, max, series.value], data.smoothed.rows[step]!);
  });
  smoothed.add(series.toString() === data.smoothed.str ? 0 : NaN, 0);
  const { logits, target, topk, result } = data.accuracy;
  const accuracy = new Difference('top-k accuracy').addList(topKAccuracy(logits.flat(), target, topk), result);
  return [smoothed.comparison, accuracy.comparison];
};

const comparisons: Readonly<Record<string, (file: string) => Comparison[]>> = {
  'flickr.json': compareFlickr,
  'refexp.json': compareRefexp,
  'coco.json': compareCoco,
  'phrasecut.json': comparePhraseCut,
  'phrasecut_rasters.json': comparePhraseCutRasters,
  'metrics.json': compareRunningMetrics,
};

/** Comparisons on the random data of the test fixtures, whose results were computed with the reference packages. */
export const compareRandom = (folder: string): Comparison[] => [
  ...compareGqa(join(folder, 'gqa-random.json.gz')),
  ...compareRandomAp(folder),
];

/** Comparisons of all cases in a folder. */
export const compareMetrics = (folder: string): Comparison[] =>
  Object.entries(comparisons).flatMap(([name, compare]) =>
    existsSync(join(folder, name)) ? compare(join(folder, name)) : [],
  );

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8')) as unknown;

const main = (): number => {
  const project = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
  const candidates = [
    join(project, '../shared/reference/evaluators'),
    join(project, 'test/fixtures/reference/evaluators'),
  ];
  const folder = process.argv[2] ?? candidates.find((path) => existsSync(path)) ?? candidates[0]!;
  const cases = compareMetrics(folder);
  if (cases.length === 0) {
    console.error(`No evaluator cases in ${folder}.`);
    return 1;
  }
  const rows = [...cases, ...compareRandom(join(project, 'test/fixtures/evaluation'))];
  console.log(
    alignColumns([
      ['metric', 'values', 'largest difference', 'tolerance', ''],
      ...rows.map(({ metric, count, largestDifference, tolerance }) => [
        metric,
        String(count),
        largestDifference === 0 ? '0' : largestDifference.toExponential(1),
        tolerance.toExponential(0),
        largestDifference <= tolerance ? 'equal' : 'DIFFERENT',
      ]),
    ]),
  );
  return rows.every(({ largestDifference, tolerance }) => largestDifference <= tolerance) ? 0 : 1;
};

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exitCode = main();
