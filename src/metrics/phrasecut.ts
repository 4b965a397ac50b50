import { unpackMask, maskToDense } from '../geometry/run-lengths.ts';
import { MdetrError } from '../errors.ts';
import { mean, type Evaluator, type Metrics } from './metrics.ts';
import { denseMaskOverlap } from '../geometry/mask-overlap.ts';
import { fillPolygonPillow } from '../geometry/pillow-polygon.ts';
import { PhraseCutSubsetRules, PHRASECUT_SUBSETS, type PhraseCutSubset } from './phrasecut-subsets.ts';
import type {
  PhraseCutGroundTruth,
  PhraseCutImage,
  PhraseCutOptions,
  PhraseCutSubsetResult,
  PhraseCutTask,
  PhraseCutTaskResult,
} from './phrasecut-data.ts';
import type { PhraseCutPrediction } from './predictions.ts';

const IOU_THRESHOLDS = [0.5, 0.6, 0.7, 0.8, 0.9];

/**
 * IoU on PhraseCut between the rasterized boxes of a phrase and of its prediction, and between their masks.
 * `Precision@0.5` … `Precision@0.9` are the box metrics of the official evaluation; mean and cumulative mask IoU are the
 * metrics of the PhraseCut paper. Metrics of subsets are named `c20/mean_mask_iou`. Official counterpart:
 * `PhrasecutEvaluator`.
 */
export class PhraseCutEvaluator implements Evaluator<PhraseCutPrediction> {
  private readonly options: Required<PhraseCutOptions>;
  private readonly tasks: ReadonlyMap<string, PhraseCutTask>;
  private readonly images: ReadonlyMap<number, PhraseCutImage>;
  private readonly rules: PhraseCutSubsetRules;
  private unknownTasks = 0;
  private readonly results = new Map<
    string,
    PhraseCutTaskResult & { readonly subsets: ReadonlySet<PhraseCutSubset> }
  >();

  constructor(groundTruth: PhraseCutGroundTruth, options: PhraseCutOptions = {}) {
    this.options = { masks: false, boxRaster: 'official', missing: 'skip', ...options };
    this.tasks = new Map([...groundTruth.tasks].map((task) => [task.task_id, task]));
    this.images = new Map([...groundTruth.images].map((image) => [image.image_id, image]));
    this.rules = new PhraseCutSubsetRules(groundTruth.counts);
  }

  /** Notes about predictions that do not count. */
  get warnings(): readonly string[] {
    const missing = this.tasks.size - this.results.size;
    const treatment = this.options.missing === 'skip' ? 'left out' : 'counted as empty';
    return [
      ...(missing > 0 ? [`${missing} of ${this.tasks.size} phrases have no prediction; they were ${treatment}.`] : []),
      ...(this.unknownTasks > 0
        ? [`${this.unknownTasks} predictions belong to phrases that are not in this split.`]
        : []),
    ];
  }

  /**
   * Adds the prediction for a phrase; a second one replaces the first.
   *
   * @returns IoU of the masks, or of the boxes without masks
   * @throws {MdetrError} when the mask is missing or has another size than the image
   */
  add(prediction: PhraseCutPrediction): number | undefined {
    const task = this.tasks.get(prediction.task_id);
    if (task === undefined) {
      this.unknownTasks++;
      return undefined;
    }
    const image = this.imageOf(task);
    const groundTruth = paintPolygons(task, image);
    const result = this.compare(prediction, task, image, groundTruth);
    this.results.set(task.task_id, { ...result, subsets: this.subsetsOf(task, image, groundTruth) });
    return this.options.masks ? result.maskIou : result.boxIou;
  }

  /** Overlap of the prediction for one phrase. */
  resultOf(taskId: string): PhraseCutTaskResult | undefined {
    return this.results.get(taskId);
  }

  /** Metrics of each subset that has phrases. */
  report(): Readonly<Partial<Record<PhraseCutSubset, PhraseCutSubsetResult>>> {
    const results = [...this.results.values()];
    if (this.options.missing === 'empty') {
      for (const task of this.tasks.values()) if (!this.results.has(task.task_id)) results.push(this.emptyResult(task));
    }
    const report: Partial<Record<PhraseCutSubset, PhraseCutSubsetResult>> = {};
    for (const subset of PHRASECUT_SUBSETS) {
      const { masks } = this.options;
      const own = results.filter(({ subsets }) => subsets.has(subset));
      if (own.length === 0) continue;
      const boxIous = own.map(({ boxIou }) => boxIou);
      const maskIous = own.map(({ maskIou }) => maskIou);
      const union = own.reduce((sum, result) => sum + result.union, 0);
      report[subset] = {
        count: own.length,
        mean_box_iou: mean(boxIous),
        pred_box_acc: fractionsAbove(boxIous),
        mean_mask_iou: masks ? mean(maskIous) : undefined,
        cum_mask_iou: masks ? own.reduce((sum, result) => sum + result.intersection, 0) / union : undefined,
        pred_mask_acc: masks ? fractionsAbove(maskIous) : undefined,
      };
    }
    return report;
  }

  /** Metrics by name. @throws {MdetrError} if phrases have no prediction */
  summarize(): Metrics {
    const metrics: Record<string, number> = {};
    for (const [subset, result] of Object.entries(this.report())) {
      const prefix = subset === 'all' ? '' : `${subset}/`;
      for (const [threshold, fraction] of Object.entries(result.pred_box_acc)) {
        metrics[`${prefix}Precision@${threshold}`] = fraction;
      }
      metrics[`${prefix}mean_box_iou`] = result.mean_box_iou;
      if (result.mean_mask_iou !== undefined) metrics[`${prefix}mean_mask_iou`] = result.mean_mask_iou;
      if (result.cum_mask_iou !== undefined) metrics[`${prefix}cum_mask_iou`] = result.cum_mask_iou;
      for (const [threshold, fraction] of Object.entries(result.pred_mask_acc ?? {})) {
        metrics[`${prefix}mask_Precision@${threshold}`] = fraction;
      }
    }
    return metrics;
  }

  private compare(
    prediction: PhraseCutPrediction,
    task: PhraseCutTask,
    image: PhraseCutImage,
    groundTruth: Uint8Array,
  ): PhraseCutTaskResult {
    const boxIou = boxesIou(prediction.boxes, task.instance_boxes, this.options.boxRaster);
    if (!this.options.masks) return { boxIou, maskIou: 0, intersection: 0, union: 0 };
    if (prediction.mask === undefined) {
      throw new MdetrError(
        `The prediction for phrase ${task.task_id} has no "mask"; evaluate boxes only, or predict masks.`,
      );
    }
    const mask = unpackMask(prediction.mask, `mask of phrase ${task.task_id}`);
    if (mask.height !== image.height || mask.width !== image.width) {
      throw new MdetrError(
        `The mask for phrase ${task.task_id} is ${mask.width}x${mask.height}, image ${image.image_id} is ` +
          `${image.width}x${image.height} (width x height).`,
      );
    }
    const { intersection, union } = denseMaskOverlap(maskToDense(mask), groundTruth);
    return { boxIou, maskIou: intersection === 0 ? 0 : intersection / union, intersection, union };
  }

  private emptyResult(task: PhraseCutTask): PhraseCutTaskResult & { readonly subsets: ReadonlySet<PhraseCutSubset> } {
    const image = this.imageOf(task);
    const groundTruth = paintPolygons(task, image);
    const union = this.options.masks ? denseMaskOverlap(groundTruth, groundTruth).union : 0;
    return { boxIou: 0, maskIou: 0, intersection: 0, union, subsets: this.subsetsOf(task, image, groundTruth) };
  }

  private subsetsOf(task: PhraseCutTask, image: PhraseCutImage, groundTruth: Uint8Array): ReadonlySet<PhraseCutSubset> {
    return this.rules.subsetsOf({
      structure: task.phrase_structure,
      instanceCount: task.instance_boxes.length,
      relativeSize: denseMaskOverlap(groundTruth, groundTruth).union / (image.width * image.height),
      cocoId: image.coco_id,
    });
  }

  private imageOf(task: PhraseCutTask): PhraseCutImage {
    const image = this.images.get(task.image_id);
    if (image === undefined) {
      throw new MdetrError(
        `Phrase ${task.task_id} belongs to image ${task.image_id}, which image_data_split.json lacks.`,
      );
    }
    return image;
  }
}

/** Union of the polygons of all instances, (height, width). */
const paintPolygons = ({ Polygons: polygons }: PhraseCutTask, { width, height }: PhraseCutImage): Uint8Array => {
  const canvas = new Uint8Array(width * height);
  for (const polygon of polygons.flat()) if (polygon.length >= 2) fillPolygonPillow(canvas, width, height, polygon);
  return canvas;
};

/**
 * IoU of two sets of boxes [x, y, width, height], each set rasterized as the union of its boxes. Official counterpart:
 * `iou_boxes`.
 */
export const boxesIou = (
  predicted: readonly (readonly number[])[],
  groundTruth: readonly (readonly number[])[],
  raster: 'official' | 'exact' = 'official',
): number => {
  const all = [...predicted, ...groundTruth];
  // Far corners are inclusive: x + width - 1.
  const width = Math.max(0, ...all.map((box) => Math.trunc(box[0]! + box[2]! - 1 + 1)));
  const height = Math.max(0, ...all.map((box) => Math.trunc(box[1]! + box[3]! - 1 + 1)));
  const paint = raster === 'official' ? paintBoxes : paintExactBoxes;
  const { intersection, union } = denseMaskOverlap(paint(predicted, width, height), paint(groundTruth, width, height));
  return intersection === 0 ? 0 : intersection / union;
};

/**
 * Rasterizes boxes [x, y, width, height] as the official code does: rows int(y) to int(y + height - 1), the end exclusive,
 * columns likewise, and negative indices as in Python.
 *
 * @returns pixels of the union, (height, width)
 */
export const paintBoxes = (boxes: readonly (readonly number[])[], width: number, height: number): Uint8Array => {
  const canvas = new Uint8Array(width * height);
  for (const [x, y, w, h] of boxes as readonly [number, number, number, number][]) {
    fillRectangle(
      canvas,
      width,
      ...pythonRange(Math.trunc(x), Math.trunc(x + w - 1), width),
      ...pythonRange(Math.trunc(y), Math.trunc(y + h - 1), height),
    );
  }
  return canvas;
};

const paintExactBoxes = (boxes: readonly (readonly number[])[], width: number, height: number): Uint8Array => {
  const canvas = new Uint8Array(width * height);
  const clamp = (value: number, size: number): number => Math.min(Math.max(Math.trunc(value), 0), size);
  for (const [x, y, w, h] of boxes as readonly [number, number, number, number][]) {
    fillRectangle(canvas, width, clamp(x, width), clamp(x + w, width), clamp(y, height), clamp(y + h, height));
  }
  return canvas;
};

const fillRectangle = (
  canvas: Uint8Array,
  width: number,
  fromX: number,
  toX: number,
  fromY: number,
  toY: number,
): void => {
  if (fromX >= toX) return;
  for (let row = fromY; row < toY; row++) canvas.fill(1, row * width + fromX, row * width + toX);
};

/** Start and end of Python's slice `start:stop` in a sequence of the given length. */
const pythonRange = (start: number, stop: number, length: number): [from: number, to: number] => {
  const resolve = (index: number): number => Math.min(Math.max(index < 0 ? index + length : index, 0), length);
  return [resolve(start), resolve(stop)];
};

const fractionsAbove = (ious: readonly number[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    IOU_THRESHOLDS.map((threshold) => [String(threshold), ious.filter((iou) => iou > threshold).length / ious.length]),
  );
