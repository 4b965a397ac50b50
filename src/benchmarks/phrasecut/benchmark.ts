import { shownImageId } from '../../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { MdetrError } from '../../errors.ts';
import { emptyMask, packMask, unpackMask } from '../../geometry/run-lengths.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { TextOutputs } from '../../inference/text-outputs.ts';
import type { MetricDefinition } from '../../metrics/metric-definition.ts';
import { PhraseCutEvaluator } from '../../metrics/phrasecut.ts';
import { PREDICTION_FORMATS, type PhraseCutPrediction } from '../../metrics/predictions.ts';
import { phraseCutQueries, phraseCutResult } from '../../postprocess/masks.ts';
import { postprocessBoxes } from '../../postprocess/scored-boxes.ts';
import { annotationBenchmark } from '../annotation-benchmark.ts';
import { readPhraseCutGroundTruth } from './ground-truth.ts';

/** IoU thresholds in percent. */
const THRESHOLDS = [50, 60, 70, 80, 90];

const METRICS: readonly MetricDefinition[] = [
  ...THRESHOLDS.map((percent) => ({
    id: `box_precision_at_${percent}`,
    title: `Precision@${percent / 100}`,
    description: `fraction of phrases with a box IoU above ${percent / 100}`,
  })),
  { id: 'mean_box_iou', title: 'mean_box_iou', description: 'mean IoU of boxes' },
  { id: 'mean_mask_iou', title: 'mean_mask_iou', description: 'mean IoU of masks' },
  {
    id: 'cumulative_mask_iou',
    title: 'cum_mask_iou',
    description: 'sum of all intersections divided by the sum of all unions',
  },
  ...THRESHOLDS.map((percent) => ({
    id: `mask_precision_at_${percent}`,
    title: `mask_Precision@${percent / 100}`,
    description: `fraction of phrases with a mask IoU above ${percent / 100}`,
  })),
];

const taskIdOf = ({ image }: CocoRow): string => {
  const id = image['task_id'];
  if (typeof id !== 'string')
    throw new MdetrError(
      `row with image id ${shownImageId(image)} has no "task_id": it is not from a file of PhraseCut (finetune_phrasecut_miniv.json)`,
    );
  return id;
};

/**
 * Mean and cumulative IoU and precision of a phrase's boxes and masks, over all and by subset. Official counterpart:
 * `PhrasecutEvaluator`.
 */
export const phraseCutBenchmark = annotationBenchmark({
  name: 'phrasecut',
  description: 'boxes and masks of phrases on PhraseCut: IoU and precision, over all and by subset',
  annotations: 'annotation file in the official format (finetune_phrasecut_test.json)',
  groundTruth: {
    description: 'its dataset folder',
    fullDescription: "PhraseCut's dataset folder (VGPhraseCut_v0)",
    isRequired: true,
    splits: ['miniv', 'val', 'test', 'train'],
  },
  options: {},
  predictions: PREDICTION_FORMATS.phrasecut,
  metrics: [
    ...METRICS,
    ...METRICS.map(({ id, title, description }) => ({
      id: `*/${id}`,
      title: `*/${title}`,
      description: `${description}, in one of PhraseCut's 43 subsets`,
      isDetail: true,
    })),
  ],
  bestMetric: ({ masksOnly }) => (masksOnly ? 'mean_mask_iou' : undefined),
  validation: {
    datasets: ['phrasecut'],
    groundTruth: { configKey: 'phrasecut_orig_ann_path', split: 'miniv', testSplit: 'test' },
  },
  checkRow: taskIdOf,
  async open(rows, { groundTruth, subset, isPartial, hasMasks }) {
    const phrases = new Set(Array.from(rows, taskIdOf));
    const files = await readPhraseCutGroundTruth(groundTruth!, subset, isPartial() ? phrases : undefined);
    const known = new Set(files.tasks.map(({ task_id }) => task_id));
    const unknown = [...phrases].find((id) => !known.has(id));
    if (unknown !== undefined)
      throw new MdetrError(
        `refer_${subset}.json has no phrase ${unknown}: pass --subset with the split that the rows belong to`,
      );
    const withMasks = await hasMasks();
    return {
      columns: [{ title: 'phrasecut', evaluator: new PhraseCutEvaluator(files, { masks: withMasks }) }],
      predict: (model, row, outputs, index) => phrasePrediction(model, row, outputs, index, withMasks),
      keyOf: taskIdOf,
      keyOfPrediction: ({ task_id }) => task_id,
      boxesOf: ({ boxes }) => boxes.map(([x, y, w, h]) => ({ box: [x, y, x + w, y + h], score: 1 })),
    };
  },
});

const phrasePrediction = async (
  model: MDETR,
  row: CocoRow,
  outputs: TextOutputs,
  index: number,
  withMasks: boolean,
): Promise<PhraseCutPrediction> => {
  const size = outputs.size(index);
  const { scores, boxes } = postprocessBoxes(outputs.detection(index), size);
  const kept = phraseCutQueries(scores);
  const packed = withMasks && kept.length > 0 ? await model.predictMasks(outputs, index, kept) : [];
  const empty = emptyMask(size.height, size.width);
  const masks = Array.from(scores, (_, query) => {
    const own = packed[kept.indexOf(query)];
    return own === undefined ? empty : unpackMask(own);
  });
  const { boxesXywh, mask } = phraseCutResult({ scores, boxesXyxy: boxes, masks }, [size.height, size.width]);
  return {
    original_id: row.image.original_id ?? row.image.id,
    task_id: taskIdOf(row),
    boxes: boxesXywh as [number, number, number, number][],
    mask: withMasks ? packMask(mask) : undefined,
  };
};
