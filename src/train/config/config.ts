import { z } from 'zod';
import { MdetrError } from '../../errors.ts';
import { EXPRESSION_TYPES, QUESTION_TYPES } from '../../scenes/language/texts.ts';
import {
  criterionConfigKeys,
  parseCriterionConfig,
  type CriterionConfig,
  type LossConfig,
} from '../../losses/index.ts';
import { modelConfigKeys, parseModelConfig, qaDataset } from '../../models/index.ts';
import { currentConfig } from '../../names/current-names.ts';
import { nearestKey } from '../../options/nearest-key.ts';
import { scheduleNames } from './schedule.ts';

/** The official code and its JSON files write 1 for true. */
const flag = z.union([z.boolean(), z.literal(0), z.literal(1)]).transform(Boolean);
const count = z.number().int().positive();
const whole = z.number().int().nonnegative();
const share = z.number().min(0).max(1);
const rate = z.number().nonnegative();
const path = z.string();

/** Texts about scenes up to a number of image-text pairs: how often which kind, and of what sort. */
const textStageSchema = z.strictObject({
  /** Pairs of the whole run after which the next stage begins; the last stage has none. */
  until_pairs: count.optional(),
  /** Relative frequencies. */
  caption: rate.default(1),
  expression: rate.default(0),
  question: rate.default(0),
  negative: rate.default(0),
  min_phrases: count.default(1),
  max_phrases: count.max(4).default(4),
  /** Chance that a phrase means a group. */
  groups: share.default(0.25),
  /** Chance that a phrase would fit other objects without its colour. */
  needs_color: share.default(0),
  /** The same without its material. */
  needs_material: share.default(0),
  expression_types: z.array(z.enum(EXPRESSION_TYPES)).nonempty().optional(),
  question_types: z.array(z.enum(QUESTION_TYPES)).nonempty().optional(),
});

export type TextStage = Readonly<z.infer<typeof textStageSchema>>;

/** Scenes without a folder: drawn when they are needed. */
const drawnScenesSchema = z.strictObject({
  seed: whole.default(1),
  start: whole.default(0),
  images: count,
  split: z.enum(['standard', 'paraphrase', 'cogent-a', 'cogent-b']).default('standard'),
  width: count.default(192),
  height: count.default(128),
  min_objects: count.default(3),
  max_objects: count.default(8),
});

/** What can be measured over an annotation file during training, beside its boxes. */
export const validationTasks = ['phrases', 'refexp', 'clevrref', 'gqa', 'clevr'] as const;
export type ValidationTask = (typeof validationTasks)[number];

const annotatedDatasetSchema = z.strictObject({
  /** Annotation file in the official format. */
  annotations: path,
  /** Image folder, or one for each `data_source` (`{"coco": …, "vg": …}`). */
  images: z.union([path, z.record(z.string(), path)]),
  name: z.string().optional(),
  /** What validation measures beside the boxes' average precision; otherwise it goes by the name. */
  task: z.enum(validationTasks).optional(),
});

const sceneDatasetSchema = z.strictObject({
  /** A folder written by `mdetr scenes`, or scenes to be drawn as they are needed. Texts are made anew in every epoch. */
  scenes: z.union([path, drawnScenesSchema]),
  name: z.string().optional(),
});

const datasetSchema = z.union([annotatedDatasetSchema, sceneDatasetSchema]);

export type AnnotatedDataset = Readonly<z.infer<typeof annotatedDatasetSchema>>;
export type SceneDataset = Readonly<z.infer<typeof sceneDatasetSchema>>;
export type DatasetConfig = Readonly<z.infer<typeof datasetSchema>>;
export type DrawnScenes = Readonly<z.infer<typeof drawnScenesSchema>>;

/**
 * What decides training beside network and loss, under the names and with the defaults of the official command line and
 * its JSON files. Everything below the line there is this package's own.
 */
const trainSchema = z.object({
  run_name: z.string().default(''),
  combine_datasets_val: z.array(z.string()).default([]),
  // Where the official datasets are, and which part of them is meant.
  coco_path: path.default(''),
  coco2017_path: path.default(''),
  vg_img_path: path.default(''),
  vg_ann_path: path.default(''),
  flickr_img_path: path.default(''),
  flickr_dataset_path: path.default(''),
  flickr_ann_path: path.default(''),
  gqa_ann_path: path.default(''),
  refexp_ann_path: path.default(''),
  clevr_img_path: path.default(''),
  clevr_ann_path: path.default(''),
  phrasecut_ann_path: path.default(''),
  phrasecut_orig_ann_path: path.default(''),
  modulated_lvis_ann_path: path.default(''),
  GT_type: z.enum(['separate', 'merged']).default('separate'),
  gqa_split_type: z.enum(['balanced', 'all']).default('balanced'),
  refexp_dataset_name: z.enum(['all', 'refcoco', 'refcoco+', 'refcocog']).default('all'),
  clevr_variant: z.enum(['normal', 'cogent', 'humans']).default('normal'),
  cogent_set: z.string().default('valA'),
  lvis_subset: z.union([z.literal(1), z.literal(10), z.literal(100)]).default(100),
  test: flag.default(false),
  test_type: z.enum(['testA', 'testB', 'test']).default('test'),
  // Optimisation.
  lr: rate.default(1e-4),
  lr_backbone: z.number().default(1e-5),
  text_encoder_lr: rate.default(5e-5),
  batch_size: count.default(2),
  weight_decay: rate.default(1e-4),
  epochs: count.default(40),
  lr_drop: count.default(35),
  epoch_chunks: z.number().int().default(-1),
  optimizer: z.enum(['adam', 'adamw', 'sgd']).default('adam'),
  clip_max_norm: rate.default(0.1),
  eval_skip: count.default(1),
  schedule: z.enum(scheduleNames).default('linear_with_warmup'),
  ema: flag.default(false),
  ema_decay: share.default(0.9998),
  fraction_warmup_steps: share.default(0.01),
  frozen_weights: path.optional(),
  freeze_text_encoder: flag.default(false),
  // The run.
  output_dir: path.default(''),
  device: z.string().default('cpu'),
  seed: whole.default(42),
  load: path.default(''),
  num_workers: whole.optional(),
  // ── this package's own: data ────────────────────────────────────────────────────────────────────────────────────
  /** Data of one's own, instead of official datasets by name. */
  datasets: z.array(datasetSchema).default([]),
  datasets_val: z.array(datasetSchema).default([]),
  /** Texts that share one picture's pass through the backbone; for scenes. */
  texts_per_image: count.default(1),
  /** What texts about scenes are like, stage by stage. */
  texts: z
    .array(textStageSchema)
    .nonempty()
    .default([textStageSchema.parse({})]),
  /** Chance that a scene is shown in the mirror, texts made afterwards. */
  horizontal_flip_prob: share.default(0.5),
  /** Random resize and crop as official for photos or for CLEVR, or the validation transform alone. */
  augmentation: z.enum(['photo', 'clevr', 'none']).optional(),
  /** Pictures in validation and in the model folder's preprocessing: shorter and at most longer side, in pixels. */
  image_size: z
    .strictObject({ shortest_edge: count, longest_edge: count })
    .default({ shortest_edge: 800, longest_edge: 1333 }),
  /** Above 1: batches of similar shape, drawn from so many batches' worth of rows. */
  bucket_window: whole.default(0),
  /** A row that cannot be used ends the run, or is left out and counted. */
  on_bad_row: z.enum(['stop', 'skip']).default('stop'),
  /**
   * What the backbone and the text encoder begin with, where nothing is loaded: their makers' files, or what `mdetr pull`
   * calls them (`resnet101`, `roberta-base-weights`). The official code fetches both by itself.
   */
  backbone_weights: path.default(''),
  text_encoder_weights: path.default(''),
  /** Folder of the vocabulary's files; those of `load` by default. */
  tokenizer: path.optional(),
  // ── optimisation ────────────────────────────────────────────────────────────────────────────────────────────────
  /** Batches whose gradients are averaged for one step. */
  accumulate: count.default(1),
  /** Ends the run after so many steps; the schedule ends with them. */
  max_steps: count.optional(),
  /** Share of the full rates at which `all_cosine_with_warmup` ends: above 0 where another stage goes on from there. */
  final_lr_fraction: share.default(0),
  /** Drops nothing, also where the official code always does (text encoder, resizer). */
  no_dropout: flag.default(false),
  /** Trains the mask head alone, on the detector as an earlier stage or `load` left it; `frozen_weights` without a file. */
  freeze_detector: flag.default(false),
  /** Which parameters decay: all, as official, or neither biases nor norms. */
  weight_decay_params: z.enum(['all', 'matrices']).default('all'),
  /** The official code sets a step's rates after it, so that step 0 runs at full rates. */
  adjust_lr: z.enum(['after_step', 'before_step']).default('after_step'),
  /** Random state of initial values; the run's `seed` by default. */
  init_seed: whole.optional(),
  /** Masks are trained on at most so many boxes of a batch, evenly chosen; 0 means all. */
  max_mask_boxes: whole.default(0),
  /** Weight of the training-only head that finds the mentioned objects in the encoder's output. */
  encoder_auxiliary_loss: rate.default(0),
  /** Weight of the training-only head that names all objects in the backbone's last map; for scenes. */
  backbone_auxiliary_loss: rate.default(0),
  /** Weight of the training-only head that says what a question compares or counts; for scenes with CLEVR's answers. */
  answer_auxiliary_loss: rate.default(0),
  /** Weight of the training-only loss that makes words look at what they name in the first encoder layer; for scenes. */
  word_auxiliary_loss: rate.default(0),
  /** `backbone` trains the backbone by its helper loss alone. */
  objective: z.enum(['all', 'backbone']).default('all'),
  // ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Steps between two entries of the log. */
  log_every: count.default(10),
  /** Steps between two saves of the resumable state, beside those at the end of every epoch. */
  save_every: count.default(500),
  /** Pictures of each validation set that are looked at; 0 means all. */
  max_validation_images: whole.default(0),
  /** Steps between two validations instead of every `eval_skip` epochs. */
  validate_every: count.optional(),
  /** Of one pass through the network; with replicas of each. */
  threads: count.optional(),
  /** Copies of the network on threads of their own, which share the `accumulate` batches of every step. */
  replicas: count.default(1),
});

type TrainSettings = Readonly<z.infer<typeof trainSchema>>;

/** Everything that decides a training run. */
export type TrainConfig = LossConfig & TrainSettings;

/**
 * What says nothing here: `mdetr evaluate`'s section, and official arguments to which other ways lead (`--resume`, MPI) or
 * that follow from others.
 */
const withoutEffect = [
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

const trainKeys: readonly string[] = Object.keys(trainSchema.shape);
/** Everything that a config may say; `stages` is read before. */
export const knownKeys: readonly string[] = [
  ...new Set([...trainKeys, ...modelConfigKeys, ...criterionConfigKeys, ...withoutEffect]),
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
  for (const key of Object.keys(current)) if (!knownKeys.includes(key)) throw unknownKey(source, key, knownKeys);
  const given = Object.fromEntries(
    Object.entries(current).filter(([, value]) => value !== null && value !== undefined),
  );
  const parsed = trainSchema.safeParse(given);
  if (!parsed.success) throw configError(source, parsed.error.issues[0]!);
  const config: TrainConfig = {
    ...parseModelConfig(given, source),
    ...(parseCriterionConfig(given, source) satisfies CriterionConfig),
    ...parsed.data,
  };
  requireSense(config, source);
  return config;
};

const warned = new Set<string>();
const warnOnce = (text: string): void => {
  if (!warned.has(text)) process.emitWarning(text, 'DeprecationWarning');
  warned.add(text);
};

const requireSense = (config: TrainConfig, source: string): void => {
  const refuse = (problem: string): never => {
    throw new MdetrError(`${source}: ${problem}`);
  };
  if (config.frozen_weights !== undefined && config.mask_model === 'none')
    refuse('frozen_weights freezes the detector to train masks on it: set mask_model to "smallconv"');
  if (config.freeze_detector && (config.mask_model === 'none' || config.mask_loss_coef + config.dice_loss_coef === 0))
    refuse('freeze_detector leaves only masks to train: set mask_model to "smallconv", and mask_loss_coef above 0');
  if (config.objective === 'backbone' && config.backbone_auxiliary_loss === 0)
    refuse('objective "backbone" trains by backbone_auxiliary_loss alone, which is 0');
  if (config.answer_auxiliary_loss > 0 && !(config.do_qa && config.split_qa_heads && qaDataset(config) === 'clevr'))
    refuse('answer_auxiliary_loss needs the question heads of CLEVR: do_qa, split_qa_heads and qa_dataset "clevr"');
  if (config.word_auxiliary_loss > 0 && config.nheads < 4)
    refuse('word_auxiliary_loss needs a head for each of four attributes: nheads from 4 on');
  for (const key of ['encoder_auxiliary_loss', 'word_auxiliary_loss'] as const)
    if (config[key] > 0 && !config.text_in_encoder)
      refuse(`${key} is about words in the encoder, which text_in_encoder false keeps out of it: set ${key} to 0`);
  config.texts.forEach((stage, index) => {
    if (stage.until_pairs === undefined && index < config.texts.length - 1)
      refuse(`texts[${index}] has no "until_pairs", so the stages after it would never come`);
    if (stage.caption + stage.expression + stage.question + stage.negative === 0)
      refuse(`texts[${index}]: caption, expression, question and negative are all 0`);
  });
};

const unknownKey = (source: string, key: string, known: readonly string[]): MdetrError => {
  const nearest = nearestKey(key, known);
  return new MdetrError(
    `${source}: unknown key "${key}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
  );
};

export const keysOfParts: readonly string[] = [
  textStageSchema,
  drawnScenesSchema,
  annotatedDatasetSchema,
  sceneDatasetSchema,
].flatMap(({ shape }) => Object.keys(shape));

const configError = (source: string, issue: z.core.$ZodIssue): MdetrError => {
  // Of the forms that a dataset can have, the one that fits best says what is wrong.
  if (issue.code === 'invalid_union') {
    const attempts = issue.errors.filter((issues) => issues.length > 0);
    const [best] = attempts.sort((a, b) => problemsIn(a) - problemsIn(b));
    // A misspelt key is why another one is missing.
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
