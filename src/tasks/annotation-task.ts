import { join } from 'node:path';
import type { CocoRow } from '../data/coco-format.ts';
import { AnnotationIndex } from '../data/index/annotation-index.ts';
import { RowReader, type OnBadRow } from '../data/index/row-reader.ts';
import { drawDetections } from '../drawing/index.ts';
import { decodeImage } from '../data/image.ts';
import { MdetrError } from '../errors.ts';
import { ClevrEvaluator } from '../evaluation/clevr.ts';
import { CocoApEvaluator } from '../evaluation/coco-ap.ts';
import { GqaEvaluator } from '../evaluation/gqa.ts';
import type { Evaluator, Metrics } from '../evaluation/metrics.ts';
import { answerOf } from '../evaluation/postprocess-answers.ts';
import { detectionsOf } from '../evaluation/postprocess-detections.ts';
import { postprocessBoxes, boxAt } from '../evaluation/postprocess.ts';
import { PredictionWriter, readPredictions, type Prediction } from '../evaluation/predictions.ts';
import { RefexpPrecisionEvaluator } from '../evaluation/refexp-precision.ts';
import type { MDETR } from '../pipeline/mdetr.ts';
import type { TextOutputs } from '../pipeline/text-outputs.ts';
import { WorstCases, type TaskReport } from './task-report.ts';

/** Tasks whose ground truth stands in the official annotation file itself. */
export const annotationTasks = ['refexp', 'clevrref', 'clevr', 'gqa', 'coco'] as const;
export type AnnotationTask = (typeof annotationTasks)[number];

export interface AnnotationTaskOptions {
  readonly task: AnnotationTask;
  readonly annotations: string;
  /** Folder that `file_name` of the rows is relative to. */
  readonly images: string;
  /** At most so many rows, from the start. */
  readonly limit?: number;
  readonly batchSize: number;
  readonly onBadRow: OnBadRow;
  /** Threshold overlaps of expressions by IoU, as the papers say, instead of GIoU, as the official code does. */
  readonly criterion: 'giou' | 'iou';
  readonly worst: number;
  /** File to save the predictions in. */
  readonly savePredictions?: string;
  /** File of saved predictions to evaluate instead of running the model. */
  readonly predictions?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

type PredictionKind = 'refexp' | 'clevr' | 'gqa' | 'coco';

/** How a task turns rows into ground truth and the network's numbers into predictions. */
interface TaskDefinition<Kind extends PredictionKind> {
  readonly kind: Kind;
  evaluator(rows: readonly CocoRow[]): Evaluator<Prediction<Kind>>;
  predict(model: MDETR, row: CocoRow, outputs: TextOutputs, item: number): Prediction<Kind>;
}

const captionOf = ({ image }: CocoRow): string => image.caption ?? '';

const answerField = ({ image }: CocoRow): string => {
  const { answer } = image;
  if (typeof answer !== 'string')
    throw new MdetrError(`row with image id ${image.id} has no "answer": it is no question of GQA or CLEVR`);
  return answer;
};

const questionId = ({ image }: CocoRow): number | string => {
  const own = image['questionId'] ?? image['question_index'];
  return typeof own === 'string' || typeof own === 'number' ? own : image.id;
};

const rankedBoxes = (row: CocoRow, outputs: TextOutputs, item: number): Prediction<'refexp'> => {
  const { boxes, scores, scoresRefexp } = postprocessBoxes(outputs.detection(item), outputs.size(item));
  return {
    image_id: row.image.id,
    scores: [...scores],
    boxes: Array.from(scores, (_, query) => [...boxAt(boxes, query)] as [number, number, number, number]),
    ...(scoresRefexp === undefined ? {} : { scores_refexp: [...scoresRefexp] }),
  };
};

const answered = (model: MDETR, row: CocoRow, outputs: TextOutputs, item: number): Prediction<'gqa'> => {
  const { answer, type } = answerOf(outputs.answers(item), model.answerVocabulary);
  return { questionId: questionId(row), prediction: answer, ...(type === undefined ? {} : { type }) };
};

const refexpTask = (variant: 'refexp' | 'clevrref', criterion: 'giou' | 'iou'): TaskDefinition<'refexp'> => ({
  kind: 'refexp',
  evaluator: (rows) =>
    new RefexpPrecisionEvaluator(
      rows.map(({ image, annotations }) => ({
        imageId: image.id,
        datasetName: image.dataset_name ?? 'refexp',
        boxesXywh: annotations.map(({ bbox }) => bbox),
      })),
      { variant, criterion },
    ),
  predict: (_model, row, outputs, item) => rankedBoxes(row, outputs, item),
});

const clevrTask: TaskDefinition<'clevr'> = {
  kind: 'clevr',
  evaluator: (rows) =>
    new ClevrEvaluator(rows.map((row) => ({ questionId: questionId(row), answer: answerField(row) }))),
  predict: answered,
};

const gqaTask: TaskDefinition<'gqa'> = {
  kind: 'gqa',
  evaluator: (rows) =>
    new GqaEvaluator(
      rows.map((row) => ({
        questionId: String(questionId(row)),
        question: captionOf(row),
        answer: answerField(row),
      })),
    ),
  predict: answered,
};

const cocoTask: TaskDefinition<'coco'> = {
  kind: 'coco',
  evaluator: (rows) =>
    new CocoApEvaluator(
      {
        images: rows.map(({ image }) => ({ id: image.id, width: image.width, height: image.height })),
        annotations: rows.flatMap(({ image, annotations }) =>
          annotations.map((annotation, index) => {
            const [, , width, height] = annotation.bbox;
            return {
              id: annotation.id ?? image.id * 10_000 + index + 1,
              image_id: image.id,
              category_id: 1,
              iscrowd: annotation.iscrowd === 1 ? (1 as const) : (0 as const),
              bbox: annotation.bbox,
              area: annotation.area ?? width * height,
            };
          }),
        ),
      },
      { iouType: 'bbox', unpredicted: 'skip' },
    ),
  predict(_model, row, outputs, item) {
    const { image_id, scores, boxes } = rankedBoxes(row, outputs, item);
    return { image_id, scores, boxes };
  },
};

/** The published metric of a task over an official annotation file. */
export const evaluateAnnotations = async (
  model: MDETR | undefined,
  options: AnnotationTaskOptions,
): Promise<TaskReport> => {
  switch (options.task) {
    case 'refexp':
    case 'clevrref':
      return runTask(model, refexpTask(options.task, options.criterion), options);
    case 'clevr':
      return runTask(model, clevrTask, options);
    case 'gqa':
      return runTask(model, gqaTask, options);
    case 'coco':
      return runTask(model, cocoTask, options);
  }
};

const runTask = async <Kind extends PredictionKind>(
  model: MDETR | undefined,
  task: TaskDefinition<Kind>,
  options: AnnotationTaskOptions,
): Promise<TaskReport> => {
  const index = AnnotationIndex.open(options.annotations);
  try {
    const reader = new RowReader(index, { onBadRow: options.onBadRow });
    const rows: CocoRow[] = [];
    const total = Math.min(index.length, options.limit ?? index.length);
    for (let row = 0; row < total; row++) {
      const read = reader.read(row);
      if (read !== undefined) rows.push(read);
    }
    if (rows.length === 0) throw new MdetrError(`${options.annotations}: no rows to evaluate`);
    const evaluator = task.evaluator(rows);
    const worst = new WorstCases(options.worst);
    if (options.predictions !== undefined) {
      for await (const prediction of readPredictions(options.predictions, task.kind)) evaluator.add(prediction);
    } else {
      if (model === undefined) throw new Error('internal: neither a model nor predictions to evaluate');
      await predictRows(model, task, rows, evaluator, worst, options);
    }
    const metrics: Metrics = evaluator.summarize();
    const skipped = reader.counts.skipped > 0 ? [`${reader.counts.skipped} bad rows were left out`] : [];
    return {
      results: [{ title: options.task, metrics, count: rows.length }],
      warnings: [...evaluator.warnings, ...skipped],
      worst: worst.all,
    };
  } finally {
    index.close();
  }
};

const predictRows = async <Kind extends PredictionKind>(
  model: MDETR,
  task: TaskDefinition<Kind>,
  rows: readonly CocoRow[],
  evaluator: Evaluator<Prediction<Kind>>,
  worst: WorstCases,
  options: AnnotationTaskOptions,
): Promise<void> => {
  const writer =
    options.savePredictions === undefined
      ? undefined
      : await PredictionWriter.create(options.savePredictions, task.kind);
  try {
    for (let start = 0; start < rows.length; start += options.batchSize) {
      const batch = rows.slice(start, start + options.batchSize);
      const items = batch.map((row) => ({ image: join(options.images, row.image.file_name), text: captionOf(row) }));
      // Boxes of the files are those of the stored pixels: no turning by EXIF, as in the official code.
      const outputs = await model.predict(items, { decode: { orient: false } });
      for (const [item, row] of batch.entries()) {
        const prediction = task.predict(model, row, outputs, item);
        await writer?.write(prediction);
        const quality = evaluator.add(prediction);
        if (quality === undefined) continue;
        const detections = detectionsOf(outputs.detection(item), outputs.size(item), outputs.encoding(item));
        const path = items[item]!.image;
        worst.add({
          quality,
          text: captionOf(row),
          note: `quality ${quality.toFixed(2)}, ${row.image.file_name}`,
          picture: async () =>
            drawDetections(await decodeImage(path, { orient: false }), { detections, caption: captionOf(row) }),
        });
      }
      options.onProgress?.(start + batch.length, rows.length);
    }
  } finally {
    await writer?.close();
  }
};
