import type { Orientation } from '../data/images/orientation.ts';
import type { OnBadRow } from '../data/annotation-index/row-reader.ts';
import type { CocoRow } from '../data/format/coco-format.ts';
import { UsageError } from '../errors.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { MetricDefinition } from '../metrics/metric-definition.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { PredictionFormat } from '../metrics/predictions.ts';
import type { BenchmarkOptions } from './benchmark-options.ts';
import type { BenchmarkReport } from './benchmark-report.ts';
import type { CaptionInspector } from './report/inspected-caption.ts';

/**
 * A published evaluation: its options, input files, prediction format and metrics, and the code that computes them.
 * One object in one folder, and one line in the registry. The options of `mdetr evaluate`, validation during training,
 * and the table in docs/metrics.md derive from it.
 */
export interface Benchmark {
  /** Value of `--task`, e.g. `flickr`. */
  readonly name: string;
  /** One sentence without a period: what is measured on which dataset. */
  readonly description: string;
  /** Describes the annotation file; undefined for a benchmark that reads none. */
  readonly annotations?: string | undefined;
  /** Files of the dataset's authors that are read beside the annotation file. */
  readonly groundTruth?: GroundTruthInput | undefined;
  /** Options of its own, by key: values of `EvaluationRequest.settings`. */
  readonly options: BenchmarkOptions;
  /** Format of saved predictions; undefined when predictions cannot be saved. */
  readonly predictions?: PredictionFormat<unknown> | undefined;
  /** Describes the file that the dataset's test server accepts; undefined when there is no such server. */
  readonly submission?: string | undefined;
  readonly metrics: readonly MetricDefinition[];
  /**
   * Identifier of the metric that selects the best model of a training run; undefined when COCO's box AP50 over the same
   * rows selects it, as in the official code.
   */
  readonly bestMetric: (trained: TrainedParts) => string | undefined;
  /** Measures the same metrics on rows of a validation set; undefined when the benchmark does not work on such rows. */
  readonly validation?: ValidationSupport | undefined;
  /** Checks what the declared inputs cannot express. @throws {UsageError} before any work */
  readonly check?: (request: EvaluationRequest) => void;
  /** Runs the evaluation; call `evaluateBenchmark`, which checks the request first. */
  readonly evaluate: (request: EvaluationRequest) => Promise<readonly BenchmarkReport[]>;
}

/** Files of the dataset's authors that are read beside the annotation file. */
export interface GroundTruthInput {
  /** Short description for the help: `its dataset folder`. */
  readonly description: string;
  /** Description for errors and lists: `the folder of Flickr30k Entities`. */
  readonly fullDescription: string;
  readonly isRequired: boolean;
  /** Splits among them. The annotation file's name ends in one, or `subset` names it. */
  readonly splits?: readonly string[] | undefined;
}

/** The trained parts of a network, as far as they decide which metric selects the best model. */
export interface TrainedParts {
  /** The network detects objects; false with `no_detection`. */
  readonly boxes: boolean;
  /** Only the mask head is trained, so that box metrics never change. */
  readonly masksOnly: boolean;
}

/** Input of an evaluation. Numbers of rows, captions and cases are counts. */
export interface EvaluationRequest {
  /** Undefined when saved predictions are evaluated. */
  readonly model?: MDETR | undefined;
  readonly annotations?: string | undefined;
  /** Image folders: one, or `SOURCE=FOLDER` for each `data_source`. */
  readonly images: readonly string[];
  /** Folder or file of the dataset's authors, described by `Benchmark.groundTruth`. */
  readonly groundTruth?: string | undefined;
  /** Split of the rows, when the annotation file's name does not end in it. */
  readonly subset?: string | undefined;
  /** Maximum number of rows, from the start of the file. */
  readonly limit?: number | undefined;
  /** Number of captions in one run of the network. */
  readonly batchSize: number;
  readonly onBadRow: OnBadRow;
  /** Orientation of the images; by default the size in an image's row decides. */
  readonly orientation?: Orientation | undefined;
  /** Pad images of different sizes to one batch, as the official evaluation does. Default false. */
  readonly officialBatching?: boolean | undefined;
  /** Values of the benchmark's own options. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** File to save the predictions in. */
  readonly savePredictions?: string | undefined;
  /** Continues an interrupted run with that file. */
  readonly resume?: boolean | undefined;
  /** File of saved predictions to evaluate instead of running the model. */
  readonly predictions?: string | undefined;
  /** The submission file is wanted, also for rows without answers. */
  readonly wantsSubmission: boolean;
  /** Number of worst cases to keep. */
  readonly worst: number;
  /** Receives the captions with their ground truth and outputs, for a report. Not called by `lvis`. */
  readonly inspector?: CaptionInspector | undefined;
  /** `part` names one of several parts that are counted separately, e.g. a split of the scenes. */
  readonly onProgress?: ((done: number, total: number, part?: string) => void) | undefined;
  /** Stops between batches; predictions saved until then are kept. */
  readonly signal?: AbortSignal | undefined;
}

/** How a benchmark measures a validation set during training. */
export interface ValidationSupport {
  /** Official datasets (`combine_datasets_val`) that it measures. Earlier benchmarks of the registry take precedence. */
  readonly datasets: readonly string[];
  /** Config key of the folder with the ground truth, and its splits for validation and for `test`. */
  readonly groundTruth?: { readonly configKey: string; readonly split: string; readonly testSplit: string } | undefined;
  /** Question heads that it needs (`qa_dataset`); it then works without detection. */
  readonly answers?: 'gqa' | 'clevr' | undefined;
  /** Starts measuring rows; call `predict` and `add` once for each of them. */
  readonly start: (rows: readonly CocoRow[], context: ValidationContext) => Promise<RunningValidation>;
}

export interface ValidationContext {
  readonly model: MDETR;
  readonly groundTruth?: string | undefined;
  readonly subset?: string | undefined;
}

/** A measurement of validation rows in progress. */
export interface RunningValidation {
  /** Makes the prediction for a row; `index` is its position in the batch of `outputs`. It can be cloned (`structuredClone`). */
  predict(model: MDETR, row: CocoRow, outputs: TextOutputs, index: number): Promise<unknown>;
  /** Adds the prediction for a row. */
  add(prediction: unknown): void;
  /** Metrics by identifier, without details. */
  summarize(): Metrics;
}

/**
 * Split of the rows of an annotation file: `subset`, or the end of the file's name
 * (`final_flickr_separateGT_val.json` holds `val`). Empty when there is none.
 */
export const splitOf = ({ annotations = '', subset }: Pick<EvaluationRequest, 'annotations' | 'subset'>): string =>
  subset ?? /_([a-z]+)\.jsonl?$/.exec(annotations)?.[1] ?? '';

/** Checks a request against the inputs that a benchmark declares. @throws {UsageError} naming what is missing */
export const checkRequest = (benchmark: Benchmark, request: EvaluationRequest): void => {
  const { name, groundTruth, predictions, submission } = benchmark;
  if (predictions === undefined)
    for (const [option, value] of [
      ['--predictions', request.predictions],
      ['--save-predictions', request.savePredictions],
    ] as const)
      if (value !== undefined) throw new UsageError(`${option}: predictions of --task ${name} cannot be saved`);
  if (request.wantsSubmission && submission === undefined)
    throw new UsageError(`--submission: no test server accepts results of --task ${name}`);
  if (request.inspector !== undefined)
    for (const [option, value] of [
      ['--predictions', request.predictions],
      ['--resume', request.resume],
    ] as const)
      if (value !== undefined && value !== false)
        throw new UsageError(
          `--report needs the outputs of the model for all captions; leave out ${option}, which brings saved predictions`,
        );
  if (request.resume === true && request.savePredictions === undefined)
    throw new UsageError('--resume continues the file that --save-predictions FILE names');
  if (benchmark.annotations !== undefined && request.annotations === undefined)
    throw new UsageError(`--task ${name} needs --annotations FILE`);
  if (groundTruth?.isRequired === true && request.groundTruth === undefined)
    throw new UsageError(`--task ${name} needs --ground-truth DIR, ${groundTruth.fullDescription}`);
  if (groundTruth?.splits !== undefined && !groundTruth.splits.includes(splitOf(request)))
    throw new UsageError(
      `--task ${name}: pass --subset with the split that ${request.annotations ?? ''} holds: ${groundTruth.splits.join(', ')}`,
    );
  benchmark.check?.(request);
};

/**
 * Checks a request and runs the benchmark.
 *
 * @throws {UsageError} when an input is missing or an option has a wrong value
 * @throws {MdetrError} when a file cannot be used
 */
export const evaluateBenchmark = async (
  benchmark: Benchmark,
  request: EvaluationRequest,
): Promise<readonly BenchmarkReport[]> => {
  checkRequest(benchmark, request);
  if (request.model !== undefined) request.inspector?.begin(request.model);
  return benchmark.evaluate(request);
};
