import type { CocoRow } from '../data/format/coco-format.ts';
import { AnnotatedImages } from '../data/images/node/annotated-images.ts';
import { ImageRoots } from '../data/images/node/image-roots.ts';
import { MdetrError } from '../errors.ts';
import { metricsById } from '../metrics/metric-definition.ts';
import type { PredictionFormat } from '../metrics/predictions.ts';
import { openRows } from './annotation-rows.ts';
import { splitOf, type Benchmark, type RunningValidation, type ValidationSupport } from './benchmark.ts';
import { settingsOf, type BenchmarkOptions, type SettingsOf } from './benchmark-options.ts';
import { evaluateRows } from './evaluate-rows.ts';
import { hasSavedMasks } from './prediction-file.ts';
import type { RowEvaluation } from './row-evaluation.ts';

/** Definition of a benchmark with one prediction for each row of an annotation file. */
export interface AnnotationBenchmarkDefinition<Prediction, Options extends BenchmarkOptions> extends Omit<
  Benchmark,
  'annotations' | 'options' | 'predictions' | 'validation' | 'evaluate'
> {
  readonly annotations: string;
  /** Accepts question files in CLEVR's own format. */
  readonly readsQuestionFiles?: boolean;
  readonly options: Options;
  readonly predictions: PredictionFormat<Prediction>;
  readonly validation: Omit<ValidationSupport, 'start'>;
  /** Compares predicted masks with those of the annotation file, so that every annotation needs one. */
  readonly readsMasks?: (settings: SettingsOf<Options>) => boolean;
  /** Checks the fields that the benchmark reads beyond those of every row. @throws {MdetrError} for a row that lacks one */
  readonly checkRow?: (row: CocoRow, context: Pick<RowContext, 'allowsMissingAnswers'>) => void;
  /** Reads the ground truth and makes the metrics. */
  readonly open: (
    rows: Iterable<CocoRow>,
    context: RowContext<Options>,
  ) => RowEvaluation<Prediction> | Promise<RowEvaluation<Prediction>>;
}

/** Everything but the rows that an evaluation over rows depends on. */
export interface RowContext<Options extends BenchmarkOptions = BenchmarkOptions> {
  readonly settings: SettingsOf<Options>;
  readonly groundTruth: string | undefined;
  /** Split of the rows; empty when it is not known. */
  readonly subset: string;
  /** Not all rows of the split are evaluated, so that only their ground truth counts. */
  readonly isPartial: () => boolean;
  /** The predictions have masks. */
  readonly hasMasks: () => Promise<boolean>;
  /** Predictions are wanted also for rows without answers. */
  readonly allowsMissingAnswers: boolean;
}

/** Makes a benchmark with one prediction for each row of an annotation file. */
export const annotationBenchmark = <Prediction, Options extends BenchmarkOptions>(
  definition: AnnotationBenchmarkDefinition<Prediction, Options>,
): Benchmark => {
  const { open, readsQuestionFiles = false, readsMasks, checkRow, ...shared } = definition;
  return {
    ...shared,
    validation: {
      ...definition.validation,
      async start(rows, { model, groundTruth, subset = '' }) {
        const evaluation = await open(rows, {
          settings: settingsOf(definition.options),
          groundTruth,
          subset,
          isPartial: () => true,
          hasMasks: () => Promise.resolve(model.hasMasks),
          allowsMissingAnswers: false,
        });
        return runningValidation(definition, evaluation);
      },
    },
    async evaluate(request) {
      const { model, annotations, limit, onBadRow, predictions } = request;
      if (annotations === undefined) throw new Error('internal: a request without annotations');
      const settings = settingsOf(definition.options, request.settings);
      const hasMasks = async (): Promise<boolean> =>
        predictions === undefined ? model?.hasMasks === true : await hasSavedMasks(predictions, definition.predictions);
      const masks = readsMasks?.(settings) === true && (await hasMasks()) ? 'every' : 'optional';
      const rows = openRows({
        annotations,
        limit,
        onBadRow,
        masks,
        checkRow: (row) => checkRow?.(row, { allowsMissingAnswers: request.wantsSubmission }),
      });
      try {
        if (rows.areQuestions && !readsQuestionFiles)
          throw new MdetrError(`${annotations}: is a question file in CLEVR's format; evaluate it with --task clevr`);
        const images = new AnnotatedImages(ImageRoots.parse(request.images), request.orientation);
        if (model !== undefined) images.roots.requireFolders();
        // Ground truth and predictions must cover the same rows, so rows with unreadable images are found first.
        if (model !== undefined && onBadRow === 'skip') await rows.leaveOut(readableBy(images));
        const evaluation = await open(rows, {
          settings,
          groundTruth: request.groundTruth,
          subset: splitOf(request),
          isPartial: () => limit !== undefined || (onBadRow === 'skip' && countOf(rows) < rows.length),
          hasMasks,
          allowsMissingAnswers: request.wantsSubmission,
        });
        return [await evaluateRows(evaluation, definition.predictions, rows, images, request)];
      } finally {
        rows.close();
      }
    },
  };
};

/** Whether the image of a row can be decoded. Each file is tried once. */
const readableBy = (images: AnnotatedImages): ((row: CocoRow) => Promise<boolean>) => {
  const known = new Map<string, boolean>();
  return async ({ image }) => {
    const before = known.get(image.file_name);
    if (before !== undefined) return before;
    let isReadable = true;
    try {
      await images.decode(image);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      isReadable = false;
    }
    known.set(image.file_name, isReadable);
    return isReadable;
  };
};

const countOf = (rows: Iterable<CocoRow>): number => {
  let count = 0;
  for (const _ of rows) count++;
  return count;
};

const runningValidation = <Prediction>(
  { metrics }: Pick<Benchmark, 'metrics'>,
  { columns, predict }: RowEvaluation<Prediction>,
): RunningValidation => ({
  predict: async (model, row, outputs, index) => predict(model, row, outputs, index),
  add(prediction) {
    for (const { evaluator } of columns) evaluator.add(prediction as Prediction);
  },
  summarize: () =>
    Object.assign(
      {},
      ...columns.map(({ evaluator, prefix }) => metricsById(metrics, evaluator.summarize(), prefix)),
    ) as Record<string, number>,
});
