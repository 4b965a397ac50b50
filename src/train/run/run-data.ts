import { BatchSampler } from '../../data/sampling/batch-sampler.ts';
import type { MixedDataset } from '../../data/sampling/mixed-dataset.ts';
import { MdetrError } from '../../errors.ts';
import type { LossConfig } from '../../losses/index.ts';
import type { ModelConfig } from '../../models/index.ts';
import type { DataConfig, DatasetConfig, OfficialDataConfig } from '../config/data-settings.ts';
import type {
  AugmentationConfig,
  AuxiliaryConfig,
  OptimizerSettings,
  RunConfig,
  SceneTextConfig,
  ScheduleConfig,
} from '../config/run-settings.ts';
import { openSources } from '../data/dataset-sources.ts';
import { officialDatasets } from '../data/official-datasets.ts';
import type { SampleSource } from '../data/sample-source.ts';
import type { Communicator } from '../parallel/communicator.ts';

/**
 * Number of a step's batches that a process takes. Processes share the `accumulate` batches of a step, so that a run is the
 * same for any number of them; the shares differ by one where they do not divide it.
 *
 * @throws {MdetrError} if there are more processes than batches
 */
export const batchesOfProcess = (
  { accumulate, batch_size: images }: Pick<OptimizerSettings & DataConfig, 'accumulate' | 'batch_size'>,
  { rank, size }: Pick<Communicator, 'rank' | 'size'>,
): number => {
  if (size <= accumulate) return Math.ceil((accumulate - rank) / size);
  const advice =
    (images * accumulate) % size === 0
      ? `--set accumulate=${size} --set batch_size=${(images * accumulate) / size} makes the same step of ${images * accumulate} images`
      : `set "accumulate" to ${size} or more`;
  throw new MdetrError(
    `a step has ${accumulate} ${accumulate === 1 ? 'batch' : 'batches'} (accumulate), too few for ${size} processes: ${advice}`,
  );
};

/** Steps of a run from which it is measured whether batches are faster in parts, which takes about as long as 15 steps. */
const MIN_MEASURED_STEPS = 1000;

/** Whether a measurement decides in how many parts the batches of a run are computed. */
export const choosesParts = (
  { batch_parts }: Pick<RunConfig, 'batch_parts'>,
  { totalSteps }: Pick<RunData, 'totalSteps'>,
): boolean => batch_parts === undefined && totalSteps >= MIN_MEASURED_STEPS;

/** Number of image-text pairs of a step, over all processes. */
export const pairsPerStep = (
  config: Pick<OptimizerSettings & DataConfig & SceneTextConfig, 'accumulate' | 'batch_size' | 'texts_per_image'>,
): number => config.accumulate * config.batch_size * config.texts_per_image;

/** The rows of a run, in training order. */
export interface RunData {
  readonly datasets: readonly DatasetConfig[];
  readonly rows: number;
  readonly sampler: BatchSampler;
  readonly stepsPerEpoch: number;
  /** Steps of the run. */
  readonly totalSteps: number;
  close(): void;
}

/**
 * Opens the training datasets of a config.
 *
 * @throws {MdetrError} for datasets that cannot be read, or have too few rows for a step
 */
export const openRunData = (
  config: LossConfig &
    DataConfig &
    OfficialDataConfig &
    SceneTextConfig &
    AugmentationConfig &
    AuxiliaryConfig &
    OptimizerSettings &
    ScheduleConfig &
    RunConfig,
): RunData => {
  const datasets = datasetsOf(config);
  const sources = openSources(datasets, config);
  const close = (): void => sources.parts.forEach(({ source }) => source.close());
  try {
    const sampler = samplerFor(sources, config);
    const stepsPerEpoch = Math.floor(sampler.batchesIn(0) / config.accumulate);
    const totalSteps = config.max_steps ?? config.epochs * stepsPerEpoch;
    return { datasets, rows: sources.length, sampler, stepsPerEpoch, totalSteps, close };
  } catch (error) {
    close();
    throw error;
  }
};

/** The sampler of batches. Throws `MdetrError` if there are too few rows for a step. */
const samplerFor = (
  sources: MixedDataset<SampleSource>,
  config: DataConfig & OptimizerSettings & RunConfig,
): BatchSampler => {
  const { batch_size: batchSize, accumulate } = config;
  if (sources.length < batchSize * accumulate)
    throw new MdetrError(
      `the datasets have ${sources.length} rows, too few for one step of ${batchSize * accumulate} ` +
        `(batch_size ${batchSize}${accumulate > 1 ? `, accumulate ${accumulate}` : ''}): ` +
        `lower them, as with --set batch_size=${Math.max(1, Math.floor(sources.length / accumulate))}`,
    );
  const sampler = new BatchSampler(sources, {
    batchSize,
    seed: config.seed,
    shuffle: true,
    dropLast: true,
    epochChunks: Math.max(0, config.epoch_chunks),
    shapeWindow: config.bucket_window,
  });
  if (sampler.batchesIn(0) < accumulate)
    throw new MdetrError(
      `an epoch has ${sampler.batchesIn(0)} batches, fewer than the ${accumulate} of a step: lower "accumulate" or ` +
        '"epoch_chunks"',
    );
  return sampler;
};

/** Training datasets of a config: `datasets`, or else the official ones of `combine_datasets`. */
const datasetsOf = (config: DataConfig & OfficialDataConfig & ModelConfig): readonly DatasetConfig[] => {
  const datasets = config.datasets.length > 0 ? config.datasets : officialDatasets(config, 'train');
  if (datasets.length === 0)
    throw new MdetrError('there is nothing to train on: name "datasets" or "combine_datasets" in the config');
  return datasets;
};
