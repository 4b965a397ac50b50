import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ImageRoots } from '../../data/images/node/image-roots.ts';
import { MdetrError } from '../../errors.ts';
import { mean, type Metrics } from '../../metrics/metrics.ts';
import { qaDataset } from '../../models/index.ts';
import { MDETR } from '../../inference/node/mdetr.ts';
import { evaluateScenes } from '../../benchmarks/scenes-task.ts';
import {
  validateAnnotations,
  type RowTask,
  type GroundTruthTask,
  type ValidationTask,
} from '../../benchmarks/validation.ts';
import type { TrainConfig } from '../config/config.ts';
import type { AnnotatedDataset, DatasetConfig, SceneDataset } from '../config/slices/datasets.ts';
import { requireFiles } from '../data/annotation-source.ts';
import { officialDatasets, OFFICIAL_NAMES } from '../data/official-datasets.ts';
import { sceneImages } from '../data/scene-source.ts';
import type { Validate, Validation } from './training-run.ts';

/** What is going on, for people. */
export interface ValidationObserver {
  onProgress(what: string, done: number, total: number): void;
  onNote(text: string): void;
}

const batchSize = 4;

/**
 * Measures a model on the validation sets of a config, one after the other. What decides which model is best is the
 * mean over the sets of each set's own number: AP50 of the boxes or the accuracy of answers, as in the official code;
 * for scenes Recall@1 of phrases. Where only masks are trained, and AP50 never changes, mask IoU decides.
 */
export const validatorFor = (config: TrainConfig, observer: ValidationObserver): Validate | undefined => {
  const datasets = config.datasets_val.length > 0 ? config.datasets_val : officialDatasets(config, 'val');
  if (datasets.length === 0) return undefined;
  const named = withNames(datasets);
  // What is wrong is found out before the first step, not after the first epoch.
  for (const [name, dataset] of named) {
    if ('scenes' in dataset) sceneImages(dataset.scenes);
    else {
      requireFiles(dataset);
      measuresOf(dataset, name, config);
      tellWhatIsMissing(dataset, config, observer);
    }
  }
  return async (folder, signal) => {
    // Weights change with every validation: what is compiled for them is of no use later.
    const cacheDir = join(dirname(folder), 'validation-cache.tmp');
    const { device, threads } = config;
    const model = await MDETR.fromPretrained(folder, {
      device,
      cacheDir,
      ...(threads === undefined ? {} : { threads }),
    });
    try {
      const metrics: Record<string, number> = {};
      const deciding: number[] = [];
      for (const [name, dataset] of named) {
        const found =
          'scenes' in dataset
            ? await onScenes(model, name, dataset, config, observer, signal)
            : await onAnnotations(model, name, dataset, config, observer, signal);
        for (const [metric, value] of Object.entries(found.metrics)) metrics[`${name}/${metric}`] = value;
        deciding.push(found.metric);
      }
      const metric = mean(deciding);
      return { metrics: named.size > 1 ? { ...metrics, mean: metric } : metrics, metric };
    } finally {
      await model.dispose();
      await rm(cacheDir, { recursive: true, force: true });
    }
  };
};

/** Every set by a name of its own. */
const withNames = (datasets: readonly DatasetConfig[]): ReadonlyMap<string, DatasetConfig> => {
  const named = new Map<string, DatasetConfig>();
  for (const dataset of datasets) {
    const plain = dataset.name ?? defaultName(dataset);
    let name = plain;
    for (let k = 2; named.has(name); k++) name = `${plain}-${k}`;
    named.set(name, dataset);
  }
  return named;
};

const defaultName = (dataset: DatasetConfig): string => {
  if (!('scenes' in dataset)) return basename(dataset.annotations).replace(/\.jsonl?$/, '');
  return typeof dataset.scenes === 'string' ? basename(dataset.scenes) : 'scenes';
};

const onScenes = async (
  model: MDETR,
  name: string,
  dataset: SceneDataset,
  config: TrainConfig,
  observer: ValidationObserver,
  signal: AbortSignal | undefined,
): Promise<Validation> => {
  const { seed, start, images: all, options } = sceneImages(dataset.scenes);
  const { split, ...scene } = options;
  const images = config.max_validation_images === 0 ? all : Math.min(all, config.max_validation_images);
  const report = await evaluateScenes(model, {
    ...{ split, scene, seed, start, images },
    ...{ textsPerKind: 1, threshold: 0.7, worst: 0, signal },
    onProgress: (done) => observer.onProgress(name, done, images),
  });
  // Numbers of single kinds of texts, as `phrase Recall@1, plural`, are for `mdetr evaluate`.
  const metrics = chosen(report.results[0]!.metrics, (name) => !name.includes(','));
  const decides = trainsMasksAlone(config)
    ? 'mask mean IoU'
    : config.no_detection
      ? 'question accuracy'
      : 'phrase Recall@1';
  return { metrics, metric: metrics[decides] ?? NaN };
};

const trainsMasksAlone = ({ frozen_weights: frozen, freeze_detector: isFrozen }: TrainConfig): boolean =>
  frozen !== undefined || isFrozen;

const chosen = (metrics: Metrics, isWanted: (name: string) => boolean): Record<string, number> =>
  Object.fromEntries(Object.entries(metrics).filter(([name]) => isWanted(name)));

/** Where the authors of an official dataset have their own files, by the key that says so; as the official code reads them. */
const groundTruthOf = (name: string, config: TrainConfig): (GroundTruthTask & { readonly key: string }) | undefined => {
  if (name === 'flickr')
    return {
      ...{ task: name, key: 'flickr_dataset_path', truth: config.flickr_dataset_path },
      subset: config.test ? 'test' : 'val',
    };
  if (name === 'phrasecut')
    return {
      ...{ task: name, key: 'phrasecut_orig_ann_path', truth: config.phrasecut_orig_ann_path },
      subset: config.test ? 'test' : 'miniv',
    };
  return undefined;
};

const isThere = ({ truth }: GroundTruthTask): boolean => truth !== '' && existsSync(truth);

const tellWhatIsMissing = (
  { name = '', task }: AnnotatedDataset,
  config: TrainConfig,
  observer: ValidationObserver,
): void => {
  const own = task !== undefined ? undefined : groundTruthOf(name, config);
  if (own === undefined || isThere(own)) return;
  const where = own.truth === '' ? '' : `, and there is no ${own.truth}`;
  observer.onNote(
    `validation set ${name}: measured by its annotations alone; its authors' own files make the published metric ` +
      `(${own.key} names their folder${where})`,
  );
};

/** The official evaluators beside the boxes', by the names of the official datasets; `phrases` for data of one's own. */
const taskOf = ({ name = '', task }: AnnotatedDataset, config: TrainConfig): ValidationTask | undefined => {
  if (task !== undefined) return task;
  const answers = qaDataset(config);
  const own = groundTruthOf(name, config);
  if (own !== undefined && isThere(own)) return own;
  if (name === 'flickr') return 'phrases';
  if (name === 'refexp' || name === 'clevrref') return name;
  if (name === 'clevr_question') return answers;
  if (name === 'gqa' || name === 'clevr') return answers === name ? name : undefined;
  return OFFICIAL_NAMES.includes(name) ? undefined : 'phrases';
};

/** What is measured over a set of annotations, the number that decides first. */
const measuresOf = (
  dataset: AnnotatedDataset,
  name: string,
  config: TrainConfig,
): { readonly tasks: readonly ValidationTask[]; readonly decides: string } => {
  const own = taskOf(dataset, config);
  const boxes: readonly RowTask[] = config.no_detection ? [] : ['coco'];
  if (own === 'gqa' || own === 'clevr') {
    if (qaDataset(config) !== own)
      throw new MdetrError(`validation set "${name}": task "${own}" needs question heads for it (do_qa, qa_dataset)`);
    return { tasks: [own, ...boxes], decides: 'accuracy' };
  }
  if (config.no_detection)
    throw new MdetrError(
      `validation set "${name}": a network without detection (no_detection) can but answer questions`,
    );
  const masksDecide = trainsMasksAlone(config) && typeof own === 'object' && own.task === 'phrasecut';
  return {
    tasks: [...boxes, ...(own === undefined ? [] : [own])],
    decides: masksDecide ? 'mean_mask_iou' : 'bbox_AP50',
  };
};

const onAnnotations = async (
  model: MDETR,
  name: string,
  dataset: AnnotatedDataset,
  config: TrainConfig,
  observer: ValidationObserver,
  signal: AbortSignal | undefined,
): Promise<Validation> => {
  const { annotations, images } = dataset;
  const { tasks, decides } = measuresOf(dataset, name, config);
  const { metrics: all, skipped } = await validateAnnotations(model, {
    ...{ annotations, tasks, batchSize, signal },
    images: ImageRoots.of(images),
    limit: config.max_validation_images,
    onBadRow: config.on_bad_row,
    onProgress: (done, total) => observer.onProgress(name, done, total),
  });
  // Of the twelve numbers of COCO the three that one looks at.
  const metrics = chosen(all, (metric) => !metric.startsWith('bbox_') || /^bbox_AP(50|75)?$/.test(metric));
  if (skipped > 0) observer.onNote(`validation set ${name}: ${skipped} bad rows were left out`);
  return { metrics, metric: metrics[decides] ?? NaN };
};
