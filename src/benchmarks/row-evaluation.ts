import type { CocoRow } from '../data/format/coco-format.ts';
import type { BoxXyxy } from '../geometry/boxes.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { Evaluator } from '../metrics/metrics.ts';
import { byFallingScore } from '../postprocess/scored-boxes.ts';

/** An evaluation over the rows of an annotation file, one prediction for each row. */
export interface RowEvaluation<Prediction> {
  /** Metrics over the same predictions, one column of the results each. */
  readonly columns: readonly MetricColumn<Prediction>[];
  /** Makes the prediction for a row; `index` is its position in the batch of `outputs`. */
  readonly predict: (
    model: MDETR,
    row: CocoRow,
    outputs: TextOutputs,
    index: number,
  ) => Prediction | Promise<Prediction>;
  /** Keys that match predictions with rows. */
  readonly keyOf: (row: CocoRow) => string;
  readonly keyOfPrediction: (prediction: Prediction) => string;
  /** Boxes that an image of a worst case shows, best first. */
  readonly boxesOf: (prediction: Prediction) => readonly PredictedBox[];
  /** Content of the file that the dataset's test server accepts. */
  readonly submission?: (() => string) | undefined;
  readonly warnings?: readonly string[] | undefined;
}

export interface MetricColumn<Prediction> {
  /** Heading of the column. */
  readonly title: string;
  /** Stands before the metrics' identifiers, e.g. `merged/`. */
  readonly prefix?: string | undefined;
  readonly evaluator: Evaluator<Prediction>;
}

export interface PredictedBox {
  /** Pixels of the original image. */
  readonly box: BoxXyxy;
  readonly score: number;
}

/** Boxes with a score above the threshold, at most `count`, best first. */
export const bestBoxes = (
  scores: readonly number[],
  boxes: readonly BoxXyxy[] = [],
  threshold = 0,
  count = Infinity,
): PredictedBox[] =>
  byFallingScore(scores)
    .slice(0, count)
    .map((query) => ({ box: boxes[query], score: scores[query]! }))
    .filter((shown): shown is PredictedBox => shown.score > threshold && shown.box !== undefined);
