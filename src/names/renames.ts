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

/** Command → old option → new option, both with their dashes. */
export const RENAMED_OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  evaluate: { '--truth': '--ground-truth' },
};

/** Old prefix → new prefix of the names of loss terms and metrics in a run's log. */
export const RENAMED_METRIC_PREFIXES: Readonly<Record<string, string>> = { helper_: 'auxiliary_' };
