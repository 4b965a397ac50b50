import { statedImageId } from '../../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { CocoApEvaluator } from '../../metrics/coco-ap.ts';
import { type CocoGroundTruth } from '../../metrics/coco-ap-data.ts';
import type { Evaluator } from '../../metrics/metrics.ts';
import { PREDICTION_FORMATS, type DetectionPrediction } from '../../metrics/predictions.ts';
import { annotationBenchmark } from '../annotation-benchmark.ts';
import { flagOption } from '../benchmark-options.ts';
import { bestBoxes } from '../row-evaluation.ts';
import { apMetrics, arMetrics } from './ap-metrics.ts';
import { ID_ZERO_OPTION, idZeroWarnings } from './id-zero-option.ts';
import { scoredBoxes } from './scored-boxes.ts';

/** Images of worst cases show boxes with a score above this, as the official demonstration does. */
const SHOWN_SCORE = 0.7;

/** Class-agnostic COCO AP of all boxes (and masks) of a caption. Official counterpart: `CocoEvaluator`. */
export const cocoBenchmark = annotationBenchmark({
  name: 'coco',
  description: 'COCO average precision of all boxes, class-agnostic, on any annotation file',
  annotations: 'annotation file in the official format',
  options: {
    masks: flagOption({ flag: '--masks', description: 'masks too, with a model that has them' }),
    idZero: ID_ZERO_OPTION,
  },
  predictions: PREDICTION_FORMATS.coco,
  metrics: [
    ...apMetrics('box', 'bbox'),
    ...arMetrics('box', 'bbox', [1, 10, 100]),
    ...apMetrics('mask', 'segm'),
    ...arMetrics('mask', 'segm', [1, 10, 100]),
  ],
  bestMetric: () => 'box_ap_50',
  validation: { datasets: [] },
  readsMasks: ({ masks }) => masks,
  async open(rows, { settings, hasMasks }) {
    const { numbers, ...groundTruth } = cocoGroundTruthOf(rows);
    const withMasks = settings.masks && (await hasMasks());
    const columnOf = (iouType: 'bbox' | 'segm') => ({
      title: iouType === 'bbox' ? 'coco' : 'coco, masks',
      evaluator: withStatedIds(
        new CocoApEvaluator(groundTruth, { iouType, unpredicted: 'skip', idZero: settings.idZero }),
        numbers,
      ),
    });
    return {
      warnings: idZeroWarnings(groundTruth.annotations, settings.idZero),
      columns: withMasks ? [columnOf('bbox'), columnOf('segm')] : [columnOf('bbox')],
      async predict(model, row, outputs, index) {
        const { image_id, scores, boxes } = scoredBoxes(row, outputs, index);
        const masks = withMasks ? await model.predictMasks(outputs, index, [...scores.keys()]) : undefined;
        return { image_id, scores, boxes, masks };
      },
      keyOf: ({ image }) => String(statedImageId(image)),
      keyOfPrediction: ({ image_id }) => String(image_id),
      boxesOf: ({ scores, boxes }) => bestBoxes(scores, boxes, SHOWN_SCORE),
    };
  },
});

/** An evaluator of predictions whose images have the ids of the annotation file, which can be strings. */
const withStatedIds = (
  evaluator: Evaluator<DetectionPrediction>,
  numbers: ReadonlyMap<number | string, number>,
): Evaluator<DetectionPrediction> => ({
  add: (prediction) =>
    evaluator.add({ ...prediction, image_id: numbers.get(prediction.image_id) ?? prediction.image_id }),
  summarize: () => evaluator.summarize(),
  get warnings() {
    return evaluator.warnings;
  },
});

/** Ground truth of rows, and the integers of images with string ids. */
const cocoGroundTruthOf = (
  rows: Iterable<CocoRow>,
): CocoGroundTruth & { readonly numbers: ReadonlyMap<number | string, number> } => {
  const numbers = new Map<number | string, number>();
  const images: CocoGroundTruth['images'][number][] = [];
  const annotations: CocoGroundTruth['annotations'][number][] = [];
  for (const { image, annotations: own } of rows) {
    const stated = statedImageId(image);
    if (stated !== image.id) numbers.set(stated, image.id);
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
        segmentation: annotation.segmentation,
      });
    });
  }
  return { images, annotations, numbers };
};
