import type { CocoRow } from '../data/format/coco-format.ts';
import type { Evaluator } from '../metrics/metrics.ts';
import type { BoxXyxy } from '../geometry/boxes.ts';
import type { Prediction } from '../metrics/predictions.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';

/** Kinds of predictions about one text each. LVIS' are about all categories of a picture: `lvis-task`. */
export type PredictionKind = 'flickr' | 'refexp' | 'phrasecut' | 'clevr' | 'gqa' | 'coco';

/** How a task turns rows into ground truth and the network's numbers into predictions. */
export interface TaskDefinition<Kind extends PredictionKind> {
  readonly kind: Kind;
  evaluator(rows: Iterable<CocoRow>): Evaluator<Prediction<Kind>>;
  predict(model: MDETR, row: CocoRow, outputs: TextOutputs, item: number): Prediction<Kind>;
}

/** A metric, or one of several over the same predictions. */
export interface TitledMetric<Kind extends PredictionKind> {
  readonly title: string;
  readonly evaluator: Evaluator<Prediction<Kind>>;
}

/** A task over the rows of a file, ready to take predictions. */
export interface Benchmark<Kind extends PredictionKind> {
  readonly kind: Kind;
  /** None where a file has no truth, as those of test sets: then there are predictions only. */
  readonly metrics: readonly TitledMetric<Kind>[];
  readonly predict: (
    model: MDETR,
    row: CocoRow,
    outputs: TextOutputs,
    item: number,
  ) => Prediction<Kind> | Promise<Prediction<Kind>>;
  /** What ties a prediction to its row. */
  readonly keyOf: (row: CocoRow) => string;
  readonly keyOfPrediction: (prediction: Prediction<Kind>) => string;
  /** What a prediction shows in a picture, best first. */
  readonly boxesOf: (prediction: Prediction<Kind>) => readonly PredictedBox[];
  /** The file that the data set's server takes. */
  readonly submission?: () => string;
  readonly warnings?: readonly string[];
}

export interface PredictedBox {
  readonly box: BoxXyxy;
  readonly score: number;
}
