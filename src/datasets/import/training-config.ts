import { isAbsolute, relative, resolve } from 'node:path';
import type { ModelLimits } from './model-limits.ts';

/** Properties of a dataset that the training settings are chosen from. */
export interface DatasetFacts {
  /** Number of training images, and of their captions. */
  readonly images: number;
  /** Number of captions of the training images. */
  readonly rows: number;
  /** Number of captions of the validation images. */
  readonly validationRows: number;
  /** Number of boxes, and of those that have a mask, over all splits. */
  readonly boxes: number;
  /** Number of boxes with a mask, over all splits. */
  readonly masks: number;
  /** Most boxes of one caption. */
  readonly maxBoxes: number;
  /** Number of classes. */
  readonly classes: number;
  /** Median size of the images, and median side of the boxes, in pixels. */
  readonly width: number;
  /** Median height of the images, in pixels. */
  readonly height: number;
  /** Median side of the boxes, in pixels. */
  readonly boxSize: number;
}

export interface ConfigPlaces {
  /** Folder of the dataset, in which the config is written. */
  readonly out: string;
  readonly imageFolder: string;
}

/** Beginning of the comment of every config that is written. */
export const CONFIG_MARK = 'Written by mdetr data import';

/** Batches of small networks: large enough for stable gradients, small enough for many steps. */
const MAX_BATCH = 6;
/** Batches of official networks, of which each image takes gigabytes. */
const MAX_OFFICIAL_BATCH = 2;
const [MIN_STEPS, MAX_STEPS] = [200, 20_000];
/** Most queries that a crowded dataset asks for: the photo model has as many proposals, and each costs attention. */
const MAX_QUERIES = 200;
/** Passes over the training captions; fewer for larger datasets. */
const [MAX_EPOCHS, MIN_EPOCHS] = [80, 6];
/** Captions that are trained on in all, between those limits: after 5,400 nothing was gained on 60 drawings (docs/formats.md). */
const TRAINED_CAPTIONS = 6000;

/**
 * Training config for an imported dataset, chosen from its size. `_reasons` says why each value was chosen; it has no effect,
 * and the values can be edited.
 */
export const trainingConfigOf = (
  facts: DatasetFacts,
  model: ModelLimits,
  { out, imageFolder }: ConfigPlaces,
): Record<string, unknown> => {
  const batch = Math.max(1, Math.min(model.isSmall ? MAX_BATCH : MAX_OFFICIAL_BATCH, Math.floor(facts.rows / 4) || 1));
  const epochs = Math.max(MIN_EPOCHS, Math.min(MAX_EPOCHS, Math.round(TRAINED_CAPTIONS / Math.max(1, facts.rows))));
  const steps = Math.max(MIN_STEPS, Math.min(MAX_STEPS, Math.ceil((epochs * facts.rows) / batch)));
  const validateEvery = Math.max(20, Math.ceil(steps / 10));
  const wanted = Math.min(MAX_QUERIES, Math.ceil(facts.maxBoxes / 10) * 10);
  const queries = facts.maxBoxes > model.maxObjects && wanted > model.maxObjects ? wanted : undefined;
  const hasValidation = facts.validationRows > 0;
  const images = pathFrom(out, imageFolder);
  const reasons: Record<string, string | undefined> = {
    load: `starts from the model "${model.name}"`,
    datasets: `${facts.images} images with ${facts.rows} captions`,
    align_fallback: 'a caption of an image without boxes counts for its own words',
    mask_loss_coef:
      facts.masks === 0
        ? 'the annotations are boxes'
        : `${facts.masks} of ${facts.boxes} boxes have a mask; set this and dice_loss_coef to 1 to train masks, if all have one`,
    batch_size: model.isSmall
      ? `at most ${MAX_BATCH}, and a quarter of the captions`
      : `at most ${MAX_OFFICIAL_BATCH}, since an image of this size takes gigabytes`,
    max_steps: `about ${epochs} passes over the captions, within ${MIN_STEPS} to ${MAX_STEPS} steps`,
    lr: model.isSmall
      ? 'higher than in the official configs, for all parts: the network is small and learns new looks and words'
      : 'the official rates of fine-tuning, which keep what the large network knows',
    augmentation: model.isSmall
      ? 'flips (left and right are exchanged in the caption) and crops around all boxes: few images teach more so (docs/formats.md)'
      : 'the official random crops and sizes of photographs',
    validate_every: hasValidation ? 'ten validations; the best model is kept in best/' : undefined,
    validate_start: hasValidation ? 'the initial model is the first candidate for best/' : undefined,
    patience: hasValidation ? 'ends the run when six validations in a row bring no improvement' : undefined,
    datasets_val: hasValidation ? undefined : 'missing: there are too few images to spare some for validation',
    num_queries:
      queries === undefined
        ? undefined
        : `a caption has up to ${facts.maxBoxes} boxes, the model has ${model.maxObjects} queries; further ones start as these`,
  };
  return {
    _comment: `${CONFIG_MARK}. Edit it and run it with "mdetr train"; keys that begin with _ have no effect.`,
    _reasons: reasons,
    run_name: 'fine-tuned on imported annotations',
    output_dir: `${pathFrom('.', out)}/run`.replace(/^\.\//, ''),
    load: model.name,
    datasets: [{ annotations: './train.json', images }],
    datasets_val: hasValidation ? [{ annotations: './val.json', images, name: 'val' }] : undefined,
    align_fallback: 'own_caption',
    mask_loss_coef: 0,
    dice_loss_coef: 0,
    num_queries: queries,
    optimizer: 'adamw',
    batch_size: batch,
    max_steps: steps,
    lr: model.isSmall ? 6e-4 : 5e-5,
    lr_backbone: model.isSmall ? 6e-4 : 1e-5,
    text_encoder_lr: model.isSmall ? 6e-4 : 1e-5,
    schedule: 'all_cosine_with_warmup',
    adjust_lr: 'before_step',
    fraction_warmup_steps: 0.05,
    augmentation: model.isSmall ? 'light' : 'photo',
    validate_every: hasValidation ? validateEvery : undefined,
    validate_start: hasValidation ? true : undefined,
    patience: hasValidation ? 6 : undefined,
    log_every: 10,
    save_every: Math.max(50, validateEvery),
  };
};

/** Path relative to a folder where that is short, else absolute. */
const pathFrom = (folder: string, path: string): string => {
  const short = relative(resolve(folder), resolve(path)).replaceAll('\\', '/');
  if (isAbsolute(short) || short.startsWith('../../../')) return resolve(path);
  return short === '' ? '.' : short.startsWith('.') ? short : `./${short}`;
};
