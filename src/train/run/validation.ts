import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AnnotatedImages } from '../../data/images/node/annotated-images.ts';
import { ImageRoots } from '../../data/images/node/image-roots.ts';
import { MdetrError } from '../../errors.ts';
import { metricsById } from '../../metrics/metric-definition.ts';
import { mean } from '../../metrics/metrics.ts';
import { qaDataset, type ModelConfig } from '../../models/index.ts';
import { MDETR } from '../../inference/node/mdetr.ts';
import type { Benchmark, TrainedParts } from '../../benchmarks/benchmark.ts';
import { cocoBenchmark } from '../../benchmarks/coco/benchmark.ts';
import { phrasesBenchmark } from '../../benchmarks/phrases/benchmark.ts';
import { allBenchmarks, benchmarkNamed } from '../../benchmarks/registry.ts';
import { scenesBenchmark } from '../../benchmarks/scenes/benchmark.ts';
import { evaluateScenes } from '../../benchmarks/scenes/evaluate-scenes.ts';
import { validateAnnotations, type ValidationTask } from '../../benchmarks/validation.ts';
import type { AnnotatedDataset, DatasetConfig, PhotoDataset, SceneDataset } from '../config/slices/datasets.ts';
import { requireFiles } from '../data/annotation-source.ts';
import { officialDatasets, OFFICIAL_NAMES } from '../data/official-datasets.ts';
import { sceneImages } from '../data/scene-source.ts';
import type { EventImage } from './records/event-file.ts';
import type { ValidateTogether, Validation } from './run-observer.ts';
import type { SharedValidation } from './shared-validation.ts';
import { VALIDATION_CACHE } from './run-folder.ts';
import type { InitializationConfig, RunConfig, ValidationConfig } from '../config/run-settings.ts';
import type { DataConfig, OfficialDataConfig } from '../config/data-settings.ts';

/** Callbacks of a validation. */
export interface ValidationObserver {
  onProgress(set: string, done: number, total: number): void;
  onNote(text: string): void;
}

const BATCH_SIZE = 4;
/** Captions of each validation set that TensorBoard shows. */
const DRAWN_ROWS = 4;

/**
 * Returns the validation of a config: it evaluates a model on each validation set. The model with the highest mean over the
 * sets is the best one; each set contributes AP50 of the boxes or the accuracy of answers, as in the official code, and
 * scenes Recall@1 of phrases. If only masks are trained, which leaves AP50 as it is, mask IoU is used.
 *
 * @returns undefined if the config has no validation sets
 * @throws {MdetrError} for validation sets that cannot be read or evaluated
 */
export const validatorFor = (
  config: ModelConfig & InitializationConfig & DataConfig & OfficialDataConfig & ValidationConfig & RunConfig,
  observer: ValidationObserver,
): ValidateTogether | undefined => {
  const datasets = config.datasets_val.length > 0 ? config.datasets_val : officialDatasets(config, 'val');
  if (datasets.length === 0) return undefined;
  const named = withNames(datasets.map(requireValidatable));
  // Problems are reported before the first step, not after the first epoch.
  for (const [name, dataset] of named) {
    if ('scenes' in dataset) sceneImages(dataset.scenes);
    else {
      requireFiles(dataset);
      measuresOf(dataset, name, config);
      tellWhatIsMissing(dataset, config, observer);
    }
  }
  return async (folder, signal, sharing) => {
    // Weights change with every validation: programs compiled for them are useless later.
    const cacheDir = join(dirname(folder), VALIDATION_CACHE);
    const { device, threads, strict_device: strictDevice } = config;
    const load = (): Promise<MDETR> => MDETR.fromPretrained(folder, { device, strictDevice, cacheDir, threads });
    // The first process compiles the programs, the others find them.
    const first = sharing === undefined || sharing.isFirst ? await load() : undefined;
    await sharing?.barrier();
    const model = first ?? (await load());
    try {
      const metrics: Record<string, number> = {};
      const deciding: number[] = [];
      const images: EventImage[] = [];
      for (const [name, dataset] of named) {
        const found =
          'scenes' in dataset
            ? await onScenes(model, name, dataset, config, observer, { signal, sharing })
            : await onAnnotations(model, name, dataset, config, observer, { signal, sharing });
        for (const [metric, value] of Object.entries(found.metrics)) metrics[`${name}/${metric}`] = value;
        deciding.push(found.metric);
        images.push(...(found.images ?? []));
      }
      const metric = mean(deciding);
      return { metrics: named.size > 1 ? { ...metrics, mean: metric } : metrics, metric, images };
    } finally {
      await model.dispose();
      if (sharing === undefined || sharing.isFirst) await rm(cacheDir, { recursive: true, force: true });
    }
  };
};

/** Circumstances of a validation. */
interface ValidationRun {
  readonly signal: AbortSignal | undefined;
  /** The processes that validate together. */
  readonly sharing: SharedValidation | undefined;
}

type ValidationDataset = Exclude<DatasetConfig, PhotoDataset>;

const requireValidatable = (dataset: DatasetConfig): ValidationDataset => {
  if ('photos' in dataset)
    throw new MdetrError(
      `${dataset.photos}: photographs are evaluated by "mdetr evaluate --task photos", not during training`,
    );
  return dataset;
};

/** Every set by a name of its own. */
const withNames = (datasets: readonly ValidationDataset[]): ReadonlyMap<string, ValidationDataset> => {
  const named = new Map<string, ValidationDataset>();
  for (const dataset of datasets) {
    const plain = dataset.name ?? defaultName(dataset);
    let name = plain;
    for (let k = 2; named.has(name); k++) name = `${plain}-${k}`;
    named.set(name, dataset);
  }
  return named;
};

const defaultName = (dataset: ValidationDataset): string => {
  if (!('scenes' in dataset)) return basename(dataset.annotations).replace(/\.jsonl?$/, '');
  return typeof dataset.scenes === 'string' ? basename(dataset.scenes) : 'scenes';
};

const onScenes = async (
  model: MDETR,
  name: string,
  dataset: SceneDataset,
  config: ModelConfig & InitializationConfig & ValidationConfig,
  observer: ValidationObserver,
  run: ValidationRun,
): Promise<Validation> => {
  const { seed, start, images: all, options } = sceneImages(dataset.scenes);
  const { split, ...scene } = options;
  const images = config.max_validation_images === 0 ? all : Math.min(all, config.max_validation_images);
  const report = await evaluateScenes(model, {
    split,
    scene,
    seed,
    start,
    images,
    textsPerKind: 1,
    threshold: 0.7,
    worst: 0,
    ...run,
    onProgress: (done) => observer.onProgress(name, done, images),
  });
  const metrics = metricsById(scenesBenchmark.metrics, report.results[0]!.metrics);
  return { metrics, metric: metrics[scenesBenchmark.bestMetric(trainedParts(config))!] ?? NaN };
};

const trainedParts = (config: ModelConfig & InitializationConfig): TrainedParts => ({
  boxes: !config.no_detection,
  masksOnly: config.frozen_weights !== undefined || config.freeze_detector,
});

/** Ground truth of an official dataset that a benchmark needs, at the path that a config key names. */
interface ConfiguredGroundTruth {
  readonly configKey: string;
  readonly path: string;
  readonly subset: string;
}

const groundTruthOf = ({ validation }: Benchmark, config: OfficialDataConfig): ConfiguredGroundTruth | undefined => {
  if (validation?.groundTruth === undefined) return undefined;
  const { configKey, split, testSplit } = validation.groundTruth;
  const path = (config as unknown as Readonly<Record<string, unknown>>)[configKey];
  return { configKey, path: typeof path === 'string' ? path : '', subset: config.test ? testSplit : split };
};

const exists = ({ path }: ConfiguredGroundTruth): boolean => path !== '' && existsSync(path);

/** Benchmarks that measure an official dataset with the question heads of the network, in order of preference. */
const officialBenchmarks = (name: string, config: ModelConfig): readonly Benchmark[] =>
  allBenchmarks().filter(
    ({ validation }) =>
      validation?.datasets.includes(name) === true &&
      (validation.answers === undefined || validation.answers === qaDataset(config)),
  );

const tellWhatIsMissing = (
  { name = '', task }: AnnotatedDataset,
  config: ModelConfig & OfficialDataConfig,
  observer: ValidationObserver,
): void => {
  if (task !== undefined) return;
  for (const benchmark of officialBenchmarks(name, config)) {
    const own = groundTruthOf(benchmark, config);
    if (own === undefined || exists(own)) continue;
    const where = own.path === '' ? '' : `, and there is no ${own.path}`;
    observer.onNote(
      `validation set ${name}: measured by its annotations alone; the published metric needs its authors' own files ` +
        `(${own.configKey} names their folder${where})`,
    );
  }
};

/** The benchmark of a validation set, beside the average precision of its boxes: `phrases` for custom datasets. */
const taskOf = (
  { name = '', task }: AnnotatedDataset,
  config: ModelConfig & OfficialDataConfig,
): ValidationTask | undefined => {
  if (task !== undefined) return asTask(benchmarkNamed(task));
  for (const benchmark of officialBenchmarks(name, config)) {
    const own = groundTruthOf(benchmark, config);
    if (own === undefined || exists(own)) return asTask(benchmark, own);
  }
  return OFFICIAL_NAMES.includes(name) ? undefined : asTask(phrasesBenchmark);
};

const asTask = (benchmark: Benchmark, groundTruth?: ConfiguredGroundTruth): ValidationTask => {
  const { validation } = benchmark;
  if (validation === undefined) throw new MdetrError(`task "${benchmark.name}" cannot measure a validation set`);
  return { benchmark: { ...benchmark, validation }, groundTruth: groundTruth?.path, subset: groundTruth?.subset };
};

/** Benchmarks of a validation set, and the identifier of the metric that selects the best model. */
const measuresOf = (
  dataset: AnnotatedDataset,
  name: string,
  config: ModelConfig & InitializationConfig & OfficialDataConfig,
): { readonly tasks: readonly ValidationTask[]; readonly decides: string } => {
  const own = taskOf(dataset, config);
  const trained = trainedParts(config);
  const answers = own?.benchmark.validation.answers;
  if (answers !== undefined && answers !== qaDataset(config))
    throw new MdetrError(
      `validation set "${name}": task "${own!.benchmark.name}" needs question heads for it (do_qa, qa_dataset)`,
    );
  if (!trained.boxes && answers === undefined)
    throw new MdetrError(`validation set "${name}": with no_detection, only question tasks can be evaluated`);
  const boxes = trained.boxes && own?.benchmark.name !== cocoBenchmark.name ? [asTask(cocoBenchmark)] : [];
  const tasks = [...boxes, ...(own === undefined ? [] : [own])];
  const decides = own?.benchmark.bestMetric(trained) ?? cocoBenchmark.bestMetric(trained)!;
  return { tasks, decides };
};

const onAnnotations = async (
  model: MDETR,
  name: string,
  dataset: AnnotatedDataset,
  config: ModelConfig & InitializationConfig & DataConfig & OfficialDataConfig & ValidationConfig,
  observer: ValidationObserver,
  run: ValidationRun,
): Promise<Validation> => {
  const { annotations, images } = dataset;
  const { tasks, decides } = measuresOf(dataset, name, config);
  const { metrics, skipped, warnings, drawn } = await validateAnnotations(model, {
    annotations,
    tasks,
    batchSize: BATCH_SIZE,
    ...run,
    images: new AnnotatedImages(ImageRoots.of(images), config.orientation),
    limit: config.max_validation_images,
    drawn: DRAWN_ROWS,
    onBadRow: config.on_bad_row,
    onProgress: (done, total) => observer.onProgress(name, done, total),
  });
  for (const warning of warnings) observer.onNote(`validation set ${name}: ${warning}`);
  if (skipped > 0) observer.onNote(`validation set ${name}: ${skipped} bad rows were left out`);
  const shown = drawn.map(({ image, ...encoded }, index) => ({
    tag: `${name}/${index + 1} ${basename(image)}`,
    ...encoded,
  }));
  return { metrics, metric: metrics[decides] ?? NaN, images: shown };
};
