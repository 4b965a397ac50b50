import { join } from 'node:path';
import { LvisApEvaluator } from '../metrics/lvis-ap.ts';
import { boxAt, byFallingScore, postprocessBoxes } from '../postprocess/scored-boxes.ts';
import { readPredictions, type LvisPrediction } from '../metrics/predictions.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import { readLvisFile, type LvisCategory } from './lvis-ground-truth.ts';
import { openWriter, type PredictionOptions } from './run-benchmark.ts';
import type { TaskReport } from './task-report.ts';
import type { RowsOptions } from './task-rows.ts';

/** Of LVIS v1's own file. */
export interface LvisTaskOptions extends PredictionOptions, Pick<RowsOptions, 'annotations' | 'limit'> {
  /** COCO 2017's folder, with `train2017` and `val2017` in it. */
  readonly images: string;
  /** Categories that are asked for at once. */
  readonly promptsPerPass: number;
  /** How many detections count: LVIS' 300 an image, or the 10,000 best of a category, as the official script reports. */
  readonly limitBy: 'image' | 'category';
}

const bestPerImage = 300;
const bestPerCategory = 10_000;

/**
 * LVIS AP of boxes: every category of the file is asked for in every picture, each as a text of its own, and every query
 * is a detection of that category with its score. The picture goes through the backbone once.
 */
export const evaluateLvis = async (model: MDETR | undefined, options: LvisTaskOptions): Promise<TaskReport> => {
  const { truth, categories, images } = readLvisFile(options.annotations, options.limit);
  const evaluator = new LvisApEvaluator(truth, { iouType: 'bbox', limitBy: options.limitBy });
  if (options.predictions !== undefined) {
    const known = new Set(images.map(({ id }) => String(id)));
    for await (const prediction of readPredictions(options.predictions, 'lvis'))
      if (options.limit === undefined || known.has(String(prediction.image_id))) evaluator.add(prediction);
  } else {
    if (model === undefined) throw new Error('internal: neither a model nor predictions to evaluate');
    const mayCount = options.limitBy === 'image' ? bestOfImage : new CategoryBest(bestPerCategory).filter;
    const saved = new Set<string>();
    const writer = await openWriter('lvis', options, (prediction) => {
      saved.add(String(prediction.image_id));
      evaluator.add(mayCount(prediction));
    });
    try {
      for (const [done, image] of images.entries()) {
        if (saved.has(String(image.id))) continue;
        const prediction = await detectCategories(
          model,
          join(options.images, image.path),
          image.id,
          categories,
          options,
        );
        evaluator.add(prediction);
        await writer?.write(mayCount(prediction));
        options.onProgress?.(done + 1, images.length);
      }
    } finally {
      await writer?.close();
    }
  }
  const title = options.limitBy === 'image' ? 'lvis' : 'lvis, fixed AP';
  return {
    results: [{ title, metrics: evaluator.summarize(), count: images.length }],
    warnings: evaluator.warnings,
    worst: [],
  };
};

const detectCategories = async (
  model: MDETR,
  path: string,
  imageId: number,
  categories: readonly LvisCategory[],
  { promptsPerPass, signal }: LvisTaskOptions,
): Promise<LvisPrediction> => {
  const [scores, labels, boxes]: [number[], number[], [number, number, number, number][]] = [[], [], []];
  // Boxes of the files are those of the stored pixels: no turning by EXIF, as in the official code.
  const image = await model.encodeImage(path, { orient: false });
  for (let start = 0; start < categories.length; start += promptsPerPass) {
    signal?.throwIfAborted();
    const asked = categories.slice(start, start + promptsPerPass);
    const outputs = await image.predict(asked.map(({ prompt }) => prompt));
    for (const [item, { id }] of asked.entries()) {
      const found = postprocessBoxes(outputs.detection(item), outputs.size(item));
      found.scores.forEach((score, query) => {
        scores.push(score);
        labels.push(id);
        boxes.push([...boxAt(found.boxes, query)]);
      });
    }
  }
  return { image_id: imageId, scores, labels, boxes };
};

const chosenOf = ({ image_id, scores, labels, boxes }: LvisPrediction, chosen: readonly number[]): LvisPrediction => ({
  image_id,
  scores: chosen.map((at) => scores[at]!),
  labels: chosen.map((at) => labels[at]!),
  boxes: chosen.map((at) => boxes![at]!),
});

/** What can count among an image's detections; the rest need not be saved. Their order stays: it decides among equals. */
const bestOfImage = (prediction: LvisPrediction): LvisPrediction =>
  chosenOf(
    prediction,
    byFallingScore(prediction.scores)
      .slice(0, bestPerImage)
      .sort((a, b) => a - b),
  );

/**
 * What can still count among the best of its category: above the worst of as many that came before. All detections of
 * LVIS' minival would take 35 GB, these take a tenth.
 */
export class CategoryBest {
  private readonly categories = new Map<number, { scores: Float64Array; size: number; floor: number }>();

  constructor(private readonly limit: number) {}

  readonly filter = (prediction: LvisPrediction): LvisPrediction =>
    chosenOf(
      prediction,
      [...prediction.scores.keys()].filter((at) => this.mayCount(prediction.labels[at]!, prediction.scores[at]!)),
    );

  private mayCount(category: number, score: number): boolean {
    let own = this.categories.get(category);
    if (own === undefined) {
      own = { scores: new Float64Array(2 * this.limit), size: 0, floor: -Infinity };
      this.categories.set(category, own);
    }
    // Of equal scores the earlier ones count.
    if (score <= own.floor) return false;
    own.scores[own.size++] = score;
    if (own.size === own.scores.length) {
      own.scores.sort().copyWithin(0, this.limit);
      own.size = this.limit;
      own.floor = own.scores[0]!;
    }
    return true;
  }
}
