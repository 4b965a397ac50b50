import type { CocoRow } from '../data/format/coco-format.ts';
import { CocoApEvaluator, type CocoTruth } from '../metrics/coco-ap.ts';
import { boxAt, byFallingScore, postprocessBoxes } from '../postprocess/scored-boxes.ts';
import type { Prediction } from '../metrics/predictions.ts';
import { RefexpPrecisionEvaluator } from '../metrics/refexp-precision.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { Benchmark, PredictedBox, TaskDefinition } from './task-definition.ts';

/** All boxes of a row, in the order of the queries. */
export const scoredBoxes = (row: CocoRow, outputs: TextOutputs, item: number): Prediction<'refexp'> => {
  const { boxes, scores, scoresRefexp } = postprocessBoxes(outputs.detection(item), outputs.size(item));
  return {
    image_id: row.image.id,
    scores: [...scores],
    boxes: Array.from(scores, (_, query) => [...boxAt(boxes, query)] as [number, number, number, number]),
    ...(scoresRefexp === undefined ? {} : { scores_refexp: [...scoresRefexp] }),
  };
};

/** The one box that an expression means: RefCOCO and its kin, CLEVR-Ref+. */
export const refexpTask = (variant: 'refexp' | 'clevrref', criterion: 'giou' | 'iou'): TaskDefinition<'refexp'> => ({
  kind: 'refexp',
  evaluator: (rows) =>
    new RefexpPrecisionEvaluator(
      Array.from(rows, ({ image, annotations }) => ({
        imageId: image.id,
        datasetName: image.dataset_name ?? 'refexp',
        boxesXywh: annotations.map(({ bbox }) => bbox),
      })),
      { variant, criterion },
    ),
  predict: (_model, row, outputs, item) => scoredBoxes(row, outputs, item),
});

const cocoGroundTruth = (rows: Iterable<CocoRow>): CocoTruth => {
  const images: CocoTruth['images'][number][] = [];
  const annotations: CocoTruth['annotations'][number][] = [];
  for (const { image, annotations: own } of rows) {
    images.push({ id: image.id, width: image.width, height: image.height });
    own.forEach((annotation, index) => {
      const [, , width, height] = annotation.bbox;
      annotations.push({
        id: annotation.id ?? image.id * 10_000 + index + 1,
        image_id: image.id,
        category_id: 1,
        iscrowd: annotation.iscrowd === 1 ? 1 : 0,
        bbox: annotation.bbox,
        area: annotation.area ?? width * height,
        ...(annotation.segmentation === undefined ? {} : { segmentation: annotation.segmentation }),
      });
    });
  }
  return { images, annotations };
};

/** Class-agnostic AP of all boxes of a text. */
export const cocoTask: TaskDefinition<'coco'> = {
  kind: 'coco',
  evaluator: (rows) => new CocoApEvaluator(cocoGroundTruth(rows), { iouType: 'bbox', unpredicted: 'skip' }),
  predict(_model, row, outputs, item) {
    const { image_id, scores, boxes } = scoredBoxes(row, outputs, item);
    return { image_id, scores, boxes };
  },
};

const keys = {
  keyOf: ({ image }: CocoRow) => String(image.id),
  keyOfPrediction: ({ image_id }: { readonly image_id: number | string }) => String(image_id),
};

/** The few best of a prediction, for pictures. */
const bestBoxes = (
  scores: readonly number[],
  boxes: readonly PredictedBox['box'][] = [],
  threshold = 0,
  count = Infinity,
): PredictedBox[] =>
  byFallingScore(scores)
    .slice(0, count)
    .map((query) => ({ box: boxes[query]!, score: scores[query]! }))
    .filter(({ box, score }) => score > threshold && (box as unknown) !== undefined);

export const refexpBenchmark = (
  rows: Iterable<CocoRow>,
  title: 'refexp' | 'clevrref',
  criterion: 'giou' | 'iou',
): Benchmark<'refexp'> => {
  const { kind, evaluator, predict } = refexpTask(title, criterion);
  return {
    kind,
    metrics: [{ title, evaluator: evaluator(rows) }],
    predict,
    ...keys,
    boxesOf: ({ scores, scores_refexp: ranking = scores, boxes }) => bestBoxes(ranking, boxes, 0, 1),
  };
};

/** Pictures show what the demonstration shows: boxes with a score above this. */
const shownScore = 0.7;

export const cocoBenchmark = (rows: Iterable<CocoRow>, withMasks: boolean): Benchmark<'coco'> => {
  const truth = cocoGroundTruth(rows);
  const metric = (iouType: 'bbox' | 'segm') => ({
    title: iouType === 'bbox' ? 'coco' : 'coco, masks',
    evaluator: new CocoApEvaluator(truth, { iouType, unpredicted: 'skip' }),
  });
  return {
    kind: 'coco',
    metrics: withMasks ? [metric('bbox'), metric('segm')] : [metric('bbox')],
    predict: async (model: MDETR, row, outputs, item) => {
      const { image_id, scores, boxes } = scoredBoxes(row, outputs, item);
      const masks = withMasks ? await model.predictMasks(outputs, item, [...scores.keys()]) : undefined;
      return { image_id, scores, boxes, ...(masks === undefined ? {} : { masks }) };
    },
    ...keys,
    boxesOf: ({ scores, boxes }) => bestBoxes(scores, boxes, shownScore),
  };
};
