import { existsSync } from 'node:fs';
import { readFile, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { checkReportFolder } from '../../benchmarks/report/write-report.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { checkDataset, type FileReport } from '../../datasets/inspect/check-dataset.ts';
import { ImageRoots } from '../../data/images/node/image-roots.ts';
import { importDataset, type ImportDatasetOptions, type ImportReport } from '../../datasets/import/import-dataset.ts';
import { modelLimitsOf, type ModelLimits } from '../../datasets/import/model-limits.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { MODEL_FILE_NAMES } from '../../model-folder/layout.ts';
import { isFile, resolveModelPath } from '../../model-folder/node/model-files.ts';
import { calibrate, type Calibrated } from '../calibration/calibrate.ts';
import { readConfigFile } from '../config/config-file.ts';
import { parseTrainConfig } from '../config/config.ts';
import { writeReportWith } from '../report/write-report.ts';
import { trainingCharts } from '../report/training-charts.ts';
import { readRunCurves } from '../run/run-curves.ts';
import { BEST_FOLDER, LAST_FOLDER, STATE_FILE } from '../run/run-folder.ts';
import type { RunObserver, RunSummary } from '../run/run-observer.ts';
import { runTraining } from '../run/run-training.ts';

/** Options of `finetune`. */
export interface FinetuneOptions extends Omit<ImportDatasetOptions, 'out' | 'model' | 'overwrite'> {
  /**
   * Annotation file or folder of a labeling tool's export, which is imported; or a folder that `importDataset` wrote, whose
   * config is used as it is.
   */
  readonly source: string;
  /** Folder of the result. Default: `runs/NAME`, with the name of the source. */
  readonly out?: string | undefined;
  /** Model to start from: model folder, checkpoint or name. Default `default`. Not for datasets whose config names one. */
  readonly model?: string | undefined;
  /**
   * Folder of the report on the validation part, or false for none. Default: `report` in `out`, if there is a validation part.
   */
  readonly report?: string | false | undefined;
  /** Settings that override the config, as `--set` does. */
  readonly settings?: readonly string[] | undefined;
  /** Continue an interrupted run. Default false. */
  readonly resume?: boolean | undefined;
  /** Stops after the current step and saves. */
  readonly signal?: AbortSignal | undefined;
  /** Callbacks of the training run. */
  readonly observer?: RunObserver | undefined;
  /** Called when the import is done, before training. */
  readonly onImported?: ((report: ImportReport) => void) | undefined;
  /** Command that repeats the call, for the model card. */
  readonly command?: string | undefined;
}

/** Result of `finetune`. */
export interface FinetuneReport {
  /** Report of the import; undefined if the dataset was there already. */
  readonly imported: ImportReport | undefined;
  /** Path of the training config, with the reason for each value. */
  readonly config: string;
  /** Summary of the training run. */
  readonly summary: RunSummary;
  /** Metric of the initial model on the validation part; undefined without one, or after a resume. */
  readonly before: number | undefined;
  /** Folder of the best model, or of the last one if there is no validation part. */
  readonly model: string;
  /** Threshold and presence, measured on the validation part; undefined if there is none, or the run was stopped. */
  readonly calibrated: Calibrated | undefined;
  /** Path of the report's page; undefined without validation part, or if the run was stopped. */
  readonly report: string | undefined;
}

/** Files of an imported dataset. */
const [CONFIG_FILE, TRAIN_FILE] = ['config.json', 'train.json'];

/**
 * Fine-tunes a model on custom annotations, as `mdetr finetune` does: imports them if that was not done before, checks
 * them, trains with settings chosen from the data, keeps the best model, and calibrates it. The initial model is validated,
 * too, so the result is never worse than it on the validation part.
 *
 *     const { model } = await finetune({ source: 'export', out: 'runs/mine' });
 *
 * @throws {MdetrError} for data, files and settings that cannot be used
 */
export const finetune = async (options: FinetuneOptions): Promise<FinetuneReport> => {
  const { source } = options;
  const isDataset = (await isFile(join(source, CONFIG_FILE))) && (await isFile(join(source, TRAIN_FILE)));
  const out = options.out ?? join('runs', basename(resolve(source)).replace(/\.[^.]*$/, ''));
  if (options.resume !== true && (await isFile(join(out, 'dataset', CONFIG_FILE))))
    throw new UsageError(
      `${out}: holds the result of an earlier call; continue it with resume (--resume), or name another folder with out (--out DIR)`,
    );
  const reportFolder = options.report ?? join(out, 'report');
  if (reportFolder !== false) checkReportFolder(reportFolder, `report ${reportFolder}`);
  const dataset = isDataset ? source : join(out, 'dataset');
  const config = join(dataset, CONFIG_FILE);
  // A resumed call finds the dataset that the interrupted one imported.
  const isImported = isDataset || (options.resume === true && (await isFile(config)));
  const limits = isImported ? undefined : await limitsOf(options.model ?? 'default');
  const imported =
    limits === undefined
      ? undefined
      : await importDataset({ ...options, out: dataset, model: limits, overwrite: false });
  if (imported !== undefined) options.onImported?.(imported);
  const run = join(out, 'run');
  const task = { dataset, config, run, isDataset, reportFolder };
  const made = existsSync(run) ? [dataset] : [dataset, run];
  const state = { hasStarted: false };
  try {
    return { imported, config, ...(await trainOn(task, options, () => (state.hasStarted = true))) };
  } catch (error) {
    // A run that was refused leaves nothing, so that the corrected call finds its folder free.
    if (imported !== undefined && !state.hasStarted) await removeRefused(out, made);
    throw error;
  }
};

/** Folders and files of a fine-tuning run. */
interface FinetuneTask {
  readonly dataset: string;
  readonly config: string;
  readonly run: string;
  /** Whether the source is a dataset already. */
  readonly isDataset: boolean;
  readonly reportFolder: string | false;
}

/** Trains on an imported dataset, calibrates, and writes the report. */
const trainOn = async (
  { dataset, config, run, isDataset, reportFolder }: FinetuneTask,
  options: FinetuneOptions,
  onStart: () => void,
): Promise<Omit<FinetuneReport, 'imported' | 'config'>> => {
  const { observer = {}, signal, settings = [] } = options;
  const overrides = [
    `output_dir=${JSON.stringify(run)}`,
    ...(isDataset && options.model !== undefined ? [`load=${JSON.stringify(options.model)}`] : []),
    ...(options.onBadRow === 'skip' ? ['on_bad_row="skip"'] : []),
    ...settings,
  ];
  const data = await validationOf(config, overrides);
  if (options.onBadRow !== 'skip') await check(data.files, data.masks);
  signal?.throwIfAborted();
  let before: number | undefined;
  const summary = await runTraining(config, {
    settings: overrides,
    resume: options.resume === true && (await isFile(join(run, STATE_FILE))),
    signal,
    command: options.command,
    observer: {
      ...bound(observer),
      onStart: (info) => {
        onStart();
        observer.onStart?.(info);
      },
      onValidation: (metrics, isBest) => {
        // The first validation, of the initial model, is always the best so far.
        before ??= metrics['val/box_ap_50'];
        observer.onValidation?.(metrics, isBest);
      },
    },
  });
  const model = join(run, summary.best === undefined ? LAST_FOLDER : BEST_FOLDER);
  const canCalibrate = summary.isDone && data.hasValidation;
  const calibrated = canCalibrate ? await calibration(model, dataset, observer, signal) : undefined;
  const report =
    canCalibrate && reportFolder !== false
      ? await reportOn({ model, dataset, config, run, before, signal }, reportFolder, observer)
      : undefined;
  return { summary, before, model, calibrated, report };
};

/** Removes folders of a refused run, and their parent folder if nothing else is in it. */
const removeRefused = async (out: string, folders: readonly string[]): Promise<void> => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
  await rmdir(out).catch(() => undefined);
};

/** All callbacks but that of validations. */
type Bound = Required<Omit<RunObserver, 'onValidation' | 'onPlacement'>> & Pick<RunObserver, 'onPlacement'>;

/** The observer's other callbacks, bound to it. A new one that is missing here does not compile. */
const bound = (observer: RunObserver): Bound => ({
  onStage: (stage) => observer.onStage?.(stage),
  onStart: (run) => observer.onStart?.(run),
  onStep: (step, loss) => observer.onStep?.(step, loss),
  onLog: (entry) => observer.onLog?.(entry),
  onValidationProgress: (set, done, total) => observer.onValidationProgress?.(set, done, total),
  onStageEnd: (summary) => observer.onStageEnd?.(summary),
  onPlacement: observer.onPlacement,
  onNote: (text) => observer.onNote?.(text),
});

/** Limits of the model that is fine-tuned; those of official checkpoints without config. */
const limitsOf = async (model: string): Promise<ModelLimits> => {
  const path = join(await resolveModelPath(model), MODEL_FILE_NAMES.config);
  return modelLimitsOf((await isFile(path)) ? await readJsonFile(path) : {}, model);
};

/** Annotation files of a config, and what its training needs of them. */
const validationOf = async (
  path: string,
  settings: readonly string[],
): Promise<{ files: readonly { file: string; images: ImageRoots }[]; hasValidation: boolean; masks: boolean }> => {
  const [stage] = (await readConfigFile(path, settings)).stages;
  const config = parseTrainConfig(stage!.values, path, () => undefined);
  const files = [...config.datasets, ...config.datasets_val].flatMap((dataset) =>
    'annotations' in dataset ? [{ file: dataset.annotations, images: ImageRoots.of(dataset.images) }] : [],
  );
  const masks = config.mask_loss_coef > 0 || config.dice_loss_coef > 0;
  return { files, hasValidation: config.datasets_val.length > 0, masks };
};

/** Checks annotation files and the headers of their images. @throws {MdetrError} naming the first error */
const check = async (files: readonly { file: string; images: ImageRoots }[], masks: boolean): Promise<void> => {
  for (const { file, images } of files) {
    const { files: reports } = await checkDataset([file], {
      roots: images,
      quick: true,
      masks: masks ? 'required' : 'optional',
    });
    const error = reports.flatMap(({ findings }: FileReport) => findings).find(({ severity }) => severity === 'error');
    if (error !== undefined)
      throw new MdetrError(
        `${file}: ${error.what}${error.count > 1 ? ` (${error.count} times)` : ''}: ${error.examples[0] ?? ''}; "mdetr data check" lists all errors`,
      );
  }
};

/** Writes the report on the validation part, with the curves of the run and the reasons of its settings. */
const reportOn = async (
  finished: {
    readonly model: string;
    readonly dataset: string;
    readonly config: string;
    readonly run: string;
    readonly before: number | undefined;
    readonly signal: AbortSignal | undefined;
  },
  out: string,
  observer: RunObserver,
): Promise<string> => {
  const { model, dataset, config, run, before, signal } = finished;
  const { path } = await writeReportWith(
    {
      model,
      data: dataset,
      out,
      signal,
      title: `Fine-tuned on ${basename(dirname(resolve(run)))}`,
      onProgress: (done, total) => observer.onValidationProgress?.('report', done, total),
    },
    {
      facts: before === undefined ? [] : [['Box AP50 of the initial model', before.toFixed(3)]],
      charts: trainingCharts(await readRunCurves(run)),
      texts: [{ title: 'Settings and their reasons', text: await readFile(config, 'utf8') }],
    },
  );
  return path;
};

/** Calibrates a model. A set without absent phrases has none to measure, which is noted. */
const calibration = async (
  model: string,
  data: string,
  observer: RunObserver,
  signal: AbortSignal | undefined,
): Promise<Calibrated | undefined> => {
  try {
    return await calibrate({ model, data, signal });
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    observer.onNote?.(`not calibrated: ${error.message}`);
    return undefined;
  }
};
