import * as z from 'zod';
import { MdetrError, quoted } from '../../errors.ts';
import {
  criterionConfigKeys,
  parseCriterionConfig,
  type CriterionConfig,
  type LossConfig,
} from '../../losses/index.ts';
import { hasEncoderHead, modelConfigKeys, parseModelConfig } from '../../models/index.ts';
import { currentConfig } from '../../names/current-names.ts';
import { nearestKey } from '../../options/nearest-key.ts';
import { requireConsistent } from './consistency.ts';
import { augmentationSchema, type AugmentationConfig } from './slices/augmentation.ts';
import { auxiliarySchema, type AuxiliaryConfig } from './slices/auxiliary.ts';
import {
  annotatedDatasetSchema,
  dataSchema,
  drawnScenesSchema,
  photoDatasetSchema,
  sceneDatasetSchema,
  type DataConfig,
} from './slices/datasets.ts';
import { initializationSchema, type InitializationConfig } from './slices/initialization.ts';
import { officialDataSchema, type OfficialDataConfig } from './slices/official-datasets.ts';
import { optimizerSchema, type OptimizerSettings } from './slices/optimizer.ts';
import { runSchema, validationSchema, type RunConfig, type ValidationConfig } from './slices/run.ts';
import { sceneTextSchema, textStageSchema, type SceneTextConfig } from './slices/scenes.ts';
import { scheduleSchema, type ScheduleConfig } from './slices/schedule.ts';

/**
 * The settings of training by concern. A config file is flat: each slice reads its own keys of it. The slices `model` and
 * `losses` belong to `src/models` and `src/losses`.
 *
 * @internal
 */
export const TRAIN_SLICES = {
  initialization: initializationSchema,
  data: dataSchema,
  officialData: officialDataSchema,
  sceneTexts: sceneTextSchema,
  augmentation: augmentationSchema,
  optimizer: optimizerSchema,
  schedule: scheduleSchema,
  auxiliary: auxiliarySchema,
  validation: validationSchema,
  run: runSchema,
} as const;

/**
 * All settings of a training run, with defaults filled in. Modules declare the slices that they use
 * (`config: DataConfig & AugmentationConfig`); a whole config is a value of each.
 */
export type TrainConfig = LossConfig &
  InitializationConfig &
  DataConfig &
  OfficialDataConfig &
  SceneTextConfig &
  AugmentationConfig &
  OptimizerSettings &
  ScheduleConfig &
  AuxiliaryConfig &
  ValidationConfig &
  RunConfig;

/**
 * Keys that are accepted without effect: the section of `mdetr evaluate`, and official arguments that follow from others or
 * are replaced (`--resume`, replicas).
 */
export const KEYS_WITHOUT_EFFECT: readonly string[] = [
  'evaluate',
  'dataset_config',
  'eval',
  'resume',
  'start_epoch',
  'world_size',
  'dist_url',
  'masks',
  'remove_difficult',
];

const trainKeys: readonly string[] = Object.values(TRAIN_SLICES).flatMap(({ shape }) => Object.keys(shape));

/** Every key that a config may have, besides `stages`. */
export const knownKeys: readonly string[] = [
  ...new Set([...trainKeys, ...modelConfigKeys, ...criterionConfigKeys, ...KEYS_WITHOUT_EFFECT]),
];

/**
 * Validates a training config: official JSON configs as they are, and this package's own keys. Old key names are accepted
 * and noted.
 *
 * @param source name of the config in errors
 * @param onNote called once for each old name; by default Node prints a deprecation warning
 * @throws {MdetrError} for an unknown key, naming the nearest known one, and for an invalid value
 */
export const parseTrainConfig = (
  values: Readonly<Record<string, unknown>>,
  source = 'config',
  onNote: (text: string) => void = warnOnce,
): TrainConfig => {
  const { value: current, notes } = currentConfig(values, source);
  for (const note of notes) onNote(`${source}: ${note}`);
  for (const key of Object.keys(current))
    if (!isComment(key) && !knownKeys.includes(key)) throw unknownKey(source, key, knownKeys);
  const given: Record<string, unknown> = Object.fromEntries(
    Object.entries(current).filter(([key, value]) => value !== null && value !== undefined && !isComment(key)),
  );
  // The encoder head then belongs to the network, and this is its loss.
  if (hasEncoderHead(given) && !given['freeze_detector']) given['encoder_auxiliary_loss'] ??= 1;
  const read = <T extends z.ZodObject>(slice: T): z.output<T> => {
    const own = Object.fromEntries(Object.entries(given).filter(([key]) => key in slice.shape));
    const parsed = slice.safeParse(own);
    if (!parsed.success) throw configError(source, parsed.error.issues[0]!);
    return parsed.data;
  };
  const train = {
    ...read(TRAIN_SLICES.initialization),
    ...read(TRAIN_SLICES.data),
    ...read(TRAIN_SLICES.officialData),
    ...read(TRAIN_SLICES.sceneTexts),
    ...read(TRAIN_SLICES.augmentation),
    ...read(TRAIN_SLICES.optimizer),
    ...read(TRAIN_SLICES.schedule),
    ...read(TRAIN_SLICES.auxiliary),
    ...read(TRAIN_SLICES.validation),
    ...read(TRAIN_SLICES.run),
  };
  const config: TrainConfig = {
    ...parseModelConfig(given, source),
    ...(parseCriterionConfig(given, source) satisfies CriterionConfig),
    ...train,
  };
  requireConsistent(config, source);
  return config;
};

/** Keys that begin with `_` are comments for readers of the file: `_reasons`, `_comment`. */
const isComment = (key: string): boolean => /^_[a-z]/.test(key);

const warned = new Set<string>();
const warnOnce = (text: string): void => {
  if (!warned.has(text)) process.emitWarning(text, 'DeprecationWarning');
  warned.add(text);
};

const unknownKey = (source: string, key: string, known: readonly string[]): MdetrError => {
  const nearest = nearestKey(key, known);
  return new MdetrError(
    `${source}: unknown key ${quoted(key)}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
  );
};

/** Keys of the objects nested in a config. */
export const keysOfParts: readonly string[] = [
  textStageSchema,
  drawnScenesSchema,
  annotatedDatasetSchema,
  sceneDatasetSchema,
  photoDatasetSchema,
].flatMap(({ shape }) => Object.keys(shape));

const configError = (source: string, issue: z.core.$ZodIssue): MdetrError => {
  // A dataset has one of several forms: report the problem of the form that fits best.
  if (issue.code === 'invalid_union') {
    const attempts = issue.errors.filter((issues) => issues.length > 0);
    const [best] = attempts.sort((a, b) => problemsIn(a) - problemsIn(b));
    // A misspelled key is also the reason why a required key is missing.
    const first = best?.find(({ code }) => code === 'unrecognized_keys') ?? best?.[0];
    if (
      first !== undefined &&
      issue.errors.length > 1 &&
      first.path.length + (first.code === 'unrecognized_keys' ? 1 : 0) > 0
    )
      return configError(source, { ...first, path: [...issue.path, ...first.path] });
  }
  const where = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    return unknownKey(`${source}: in "${where}"`, key, keysOfParts);
  }
  return new MdetrError(`${source}: "${where}" ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`);
};

const problemsIn = (issues: readonly z.core.$ZodIssue[]): number =>
  issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length + 1 : 1), 0);
