import { AnnotationIndex } from '../data/annotation-index/annotation-index.ts';
import { RowReader, type OnBadRow } from '../data/annotation-index/row-reader.ts';
import { shownImageId } from '../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../data/format/coco-format.ts';
import type { AnnotatedImages } from '../data/images/node/annotated-images.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import { MdetrError, messageOf } from '../errors.ts';
import { decodeImage } from '../data/images/node/decode-image.ts';
import { resizeBilinear } from '../data/transforms/resize.ts';
import { drawDetections } from '../drawing/node/index.ts';
import { detectionsOf } from '../postprocess/detections.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Benchmark, RunningValidation, ValidationSupport } from './benchmark.ts';
import { unshared, type WorkSharing } from './work-sharing.ts';

/** A benchmark that measures a validation set, with the ground truth it reads. */
export interface ValidationTask {
  readonly benchmark: Benchmark & { readonly validation: ValidationSupport };
  readonly groundTruth?: string | undefined;
  readonly subset?: string | undefined;
}

/** Options of `validateAnnotations`. */
export interface ValidationOptions {
  readonly annotations: string;
  readonly images: AnnotatedImages;
  /** Measured together, with one prediction for each row. */
  readonly tasks: readonly ValidationTask[];
  /** Maximum number of rows, spread evenly over the file; 0 for all. */
  readonly limit: number;
  readonly batchSize: number;
  readonly onBadRow: OnBadRow;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  /** Processes that compute the predictions together. Default: this one alone. */
  readonly sharing?: WorkSharing | undefined;
  /** Number of rows, spread evenly, whose detections are drawn. Default 0. */
  readonly drawn?: number | undefined;
}

/** A drawn validation row, as JPEG. */
export interface DrawnRow {
  readonly image: string;
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Metrics of a validation set, with the rows that were left out and drawn. */
export interface ValidationResult {
  /** Metrics of all tasks by identifier, without details. */
  readonly metrics: Metrics;
  /** Number of rows that were skipped because they, or their images, cannot be used. */
  readonly skipped: number;
  /** Warnings about images. */
  readonly warnings: readonly string[];
  readonly drawn: readonly DrawnRow[];
}

/**
 * Measures several benchmarks over (a part of) an annotation file, for a model in training.
 *
 * @throws {MdetrError} when a file cannot be used, or `onBadRow` is `stop` and a row or image cannot be used
 */
export const validateAnnotations = async (model: MDETR, options: ValidationOptions): Promise<ValidationResult> => {
  const { annotations, limit, onBadRow, signal, batchSize } = options;
  const index = AnnotationIndex.open(annotations);
  try {
    // CLEVR's own question files have no boxes.
    const tasks = index.format === 'questions' ? options.tasks.filter(needsNoBoxes) : options.tasks;
    if (tasks.length === 0)
      throw new MdetrError(
        `${annotations}: has questions without boxes, and the network has no question heads (do_qa)`,
      );
    const reader = new RowReader(index, { onBadRow });
    const count = limit === 0 ? index.length : Math.min(limit, index.length);
    const rows: CocoRow[] = [];
    for (let k = 0; k < count; k++) {
      const row = reader.read(Math.floor((k * index.length) / count));
      if (row !== undefined) rows.push(row);
    }
    if (rows.length === 0) throw new MdetrError(`${annotations}: no rows to validate on`);
    // Ground truth and predictions must cover the same rows, so rows with unreadable images are found first.
    const readable = onBadRow === 'skip' ? await readableRows(rows, options) : rows;
    if (readable.length === 0) throw new MdetrError(`${annotations}: none of its images can be read`);
    const running: RunningValidation[] = [];
    for (const { benchmark, groundTruth, subset } of tasks)
      running.push(await benchmark.validation.start(readable, { model, groundTruth, subset }));
    const drawn: DrawnRow[] = [];
    const every = Math.max(1, readable.length / (options.drawn ?? 0));
    const isDrawn = (index: number): boolean =>
      (options.drawn ?? 0) > 0 && Math.floor(index / every) !== Math.floor((index - 1) / every);
    const predictBatch = async (index: number): Promise<PredictedBatch> => {
      const start = index * batchSize;
      const batch = readable.slice(start, start + batchSize);
      const inputs = await Promise.all(
        batch.map(async (row) => ({ image: await imageOf(row, options), text: row.image.caption ?? '' })),
      );
      const outputs = await model.predict(inputs, { truncation: 'end' });
      const predictions: unknown[][] = [];
      const drawnRows: DrawnRow[] = [];
      for (const [position, row] of batch.entries()) {
        const ofRow: unknown[] = [];
        for (const task of running) ofRow.push(await task.predict(model, row, outputs, position));
        predictions.push(ofRow);
        if (isDrawn(start + position) && !model.config.no_detection)
          drawnRows.push(await drawRow(row, inputs[position]!, outputs, position));
      }
      return { predictions, drawn: drawnRows, warnings: options.images.warnings };
    };
    const warnings = new Set<string>();
    let done = 0;
    const batches = (options.sharing ?? unshared).each(Math.ceil(readable.length / batchSize), predictBatch, signal);
    for await (const batch of batches) {
      for (const ofRow of batch.predictions) ofRow.forEach((prediction, task) => running[task]!.add(prediction));
      drawn.push(...batch.drawn);
      for (const warning of batch.warnings) warnings.add(warning);
      done += batch.predictions.length;
      options.onProgress?.(done, readable.length);
    }
    const metrics = Object.assign({}, ...running.map((task) => task.summarize())) as Metrics;
    return {
      metrics,
      skipped: reader.counts.skipped + rows.length - readable.length,
      warnings: [...warnings],
      drawn,
    };
  } finally {
    index.close();
  }
};

/** Results of a batch of rows. */
interface PredictedBatch {
  /** Predictions of each row, one for each task. */
  readonly predictions: readonly (readonly unknown[])[];
  readonly drawn: readonly DrawnRow[];
  /** Warnings about images, from all batches of the process so far. */
  readonly warnings: readonly string[];
}

/** Longest side of drawn images, in pixels. */
const DRAWN_SIDE_PX = 480;

const drawRow = async (
  row: CocoRow,
  { image, text }: { readonly image: RawImage; readonly text: string },
  outputs: TextOutputs,
  position: number,
): Promise<DrawnRow> => {
  const factor = Math.min(1, DRAWN_SIDE_PX / Math.max(image.width, image.height));
  const side = (length: number): number => Math.max(1, Math.round(length * factor));
  const small = factor === 1 ? image : resizeBilinear(image, side(image.width), side(image.height));
  const size = { width: small.width, height: small.height };
  const detections = detectionsOf(outputs.detection(position), size, outputs.encoding(position));
  const bytes = await drawDetections(small, { detections, caption: text }, { format: 'jpeg' });
  return { image: row.image.file_name, bytes, ...(await imageSize(bytes)) };
};

const imageSize = async (bytes: Uint8Array): Promise<{ width: number; height: number }> => {
  const { width, height } = await decodeImage(bytes);
  return { width, height };
};

const needsNoBoxes = ({ benchmark }: ValidationTask): boolean => benchmark.validation.answers !== undefined;

const imageOf = async (row: CocoRow, { annotations, images }: ValidationOptions): Promise<RawImage> => {
  try {
    return await images.decode(row.image);
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    throw new MdetrError(`${annotations}: image id ${shownImageId(row.image)}: file_name: ${messageOf(error)}`, {
      cause: error,
    });
  }
};

const readableRows = async (rows: readonly CocoRow[], options: ValidationOptions): Promise<readonly CocoRow[]> => {
  const isReadable = async (index: number): Promise<boolean> => {
    try {
      await imageOf(rows[index]!, options);
      return true;
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      return false;
    }
  };
  const readable: CocoRow[] = [];
  let index = 0;
  for await (const isKept of (options.sharing ?? unshared).each(rows.length, isReadable, options.signal)) {
    if (isKept) readable.push(rows[index]!);
    index++;
  }
  return readable;
};
