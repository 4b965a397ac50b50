import { statedImageId } from '../../data/annotation-index/string-ids.ts';
import { RefexpPrecisionEvaluator } from '../../metrics/refexp-precision.ts';
import { PREDICTION_FORMATS, type RefexpPrediction } from '../../metrics/predictions.ts';
import { annotationBenchmark } from '../annotation-benchmark.ts';
import type { Benchmark } from '../benchmark.ts';
import { choiceOption } from '../benchmark-options.ts';
import { scoredBoxes } from '../coco/scored-boxes.ts';
import { bestBoxes } from '../row-evaluation.ts';

/** Makes a benchmark of referring expressions: one expression and the box it refers to in each row. */
export const expressionBenchmark = ({
  variant,
  ...texts
}: Pick<Benchmark, 'description' | 'annotations' | 'metrics'> & {
  readonly variant: 'refexp' | 'clevrref';
}): Benchmark =>
  annotationBenchmark({
    ...texts,
    name: variant,
    annotations: 'annotation file in the official format, one expression in each row',
    options: {
      criterion: choiceOption(
        {
          flag: '--criterion <overlap>',
          description: 'overlap of a correct box: giou as in the official code (default), iou as in the papers',
        },
        ['giou', 'iou'],
        'giou',
      ),
    },
    predictions: PREDICTION_FORMATS.refexp,
    bestMetric: () => undefined,
    validation: { datasets: [variant] },
    open: (rows, { settings: { criterion } }) => ({
      columns: [
        {
          title: variant,
          evaluator: new RefexpPrecisionEvaluator(
            Array.from(rows, ({ image, annotations }) => ({
              imageId: statedImageId(image),
              datasetName: image.dataset_name ?? 'refexp',
              boxesXywh: annotations.map(({ bbox }) => bbox),
            })),
            { variant, criterion },
          ),
        },
      ],
      predict: (_model, row, outputs, index): RefexpPrediction => scoredBoxes(row, outputs, index),
      keyOf: ({ image }) => String(statedImageId(image)),
      keyOfPrediction: ({ image_id }) => String(image_id),
      boxesOf: ({ scores, scores_refexp: ranking = scores, boxes }) => bestBoxes(ranking, boxes, 0, 1),
    }),
  });
