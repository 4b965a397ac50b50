/**
 * Names that users type or parse and that have changed since commit f312c71. Old names are accepted everywhere, with one
 * note each; this table is the only place that knows them.
 */

/** Renamed keys of an object in a config, the renamed values of its keys, and the objects nested in it. */
export interface ConfigRenames {
  /** Old key → new key. */
  readonly keys: Readonly<Record<string, string>>;
  /** New key → old value → new value. */
  readonly values: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** New key → renames of the object, or of every object of the list, that stands there. */
  readonly nested: Readonly<Record<string, ConfigRenames>>;
}

const NONE = { keys: {}, values: {}, nested: {} } as const satisfies ConfigRenames;

const TRAINING: ConfigRenames = {
  keys: {
    encoder_helper_loss: 'encoder_auxiliary_loss',
    backbone_helper_loss: 'backbone_auxiliary_loss',
    answer_helper_loss: 'answer_auxiliary_loss',
    word_helper_loss: 'word_auxiliary_loss',
    mirror: 'horizontal_flip_prob',
    bucket: 'bucket_window',
    decays: 'weight_decay_params',
    rates_set: 'adjust_lr',
    final_rate: 'final_lr_fraction',
    mask_boxes: 'max_mask_boxes',
    validation_images: 'max_validation_images',
  },
  values: { positive_map: { normalised: 'normalized' } },
  nested: { texts: { ...NONE, keys: { until: 'until_pairs' } } },
};

/** Training configs, the configs stored in run folders, and the `config.json` of model folders. */
export const RENAMED_IN_CONFIGS: ConfigRenames = {
  ...TRAINING,
  nested: { ...TRAINING.nested, stages: TRAINING, evaluate: { ...NONE, keys: { truth: 'ground_truth' } } },
};

/** Command → old option → new option, both with their dashes. A new option may include its value. */
export const RENAMED_OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  evaluate: { '--truth': '--ground-truth' },
  detect: { '--no-orient': '--orientation=stored' },
  refer: { '--no-orient': '--orientation=stored' },
  ask: { '--no-orient': '--orientation=stored' },
};

/** Old pattern → new name of loss terms and metrics in a run's log, without the name of the validation set before them. */
export const RENAMED_METRICS: readonly (readonly [old: RegExp, current: string])[] = [
  [/^helper_(\w+)$/, 'auxiliary_$1'],
  [/^bbox_AP$/, 'box_ap'],
  [/^bbox_AP(\d+)$/, 'box_ap_$1'],
  [/^segm_AP$/, 'mask_ap'],
  [/^segm_AP(\d+)$/, 'mask_ap_$1'],
  [/^Recall@(\d+)_all$/, 'recall_at_$1'],
  [/^Upper_bound_all$/, 'recall_upper_bound'],
  [/^clevrref_Precision@(\d+)$/, 'precision_at_$1'],
  [/^([\w+]+)_Precision@(\d+)$/, '$1/precision_at_$2'],
  [/^Precision@0\.(?<tens>\d)$/, 'box_precision_at_$<tens>0'],
  [/^mask_Precision@0\.(?<tens>\d)$/, 'mask_precision_at_$<tens>0'],
  [/^cum_mask_iou$/, 'cumulative_mask_iou'],
  [/^phrase Recall@(\d+)$/, 'phrase_recall_at_$1'],
  [/^(phrase|mask) mean IoU$/, '$1_mean_iou'],
  [/^referring precision@1$/, 'referring_precision_at_1'],
  [/^mask precision@0\.(?<tens>\d)$/, 'mask_precision_at_$<tens>0'],
  [/^question accuracy$/, 'question_accuracy'],
  [/^mentioned objects boxed$/, 'mentioned_objects_boxed'],
  [/^mentioned objects boxed twice$/, 'mentioned_objects_boxed_twice'],
  [/^absent phrases boxed$/, 'absent_phrases_boxed'],
  [/^box AP$/, 'box_ap'],
  [/^box AP@(\d+)$/, 'box_ap_$1'],
];
