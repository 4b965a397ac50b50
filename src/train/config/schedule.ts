import { MdetrError } from '../../errors.ts';

/** Learning rates of the three parameter groups of the official code, and of pre-trained word vectors. */
export interface LearningRates {
  /** Rate of all other parameters. */
  readonly main: number;
  /** Rate of the backbone. */
  readonly backbone: number;
  /** Rate of the text encoder. */
  readonly textEncoder: number;
  /** Rate of the layer above the pre-trained word vectors. */
  readonly wordVectors: number;
}

/** All learning rate schedules. */
export const SCHEDULE_NAMES = [
  'step',
  'multistep',
  'linear_with_warmup',
  'all_linear_with_warmup',
  'all_cosine_with_warmup',
] as const;
/** Name of a learning rate schedule. */
export type ScheduleName = (typeof SCHEDULE_NAMES)[number];

/** Settings of a learning rate schedule. */
export interface ScheduleConfig {
  readonly schedule: ScheduleName;
  readonly lr: number;
  readonly lr_backbone: number;
  readonly text_encoder_lr: number;
  /** Rate of pre-trained word vectors as a fraction of `text_encoder_lr`. Default 1. */
  readonly word_vectors_lr_factor?: number | undefined;
  readonly epochs: number;
  /** Epochs after which `step` divides the learning rates by ten, and `multistep` first halves them. */
  readonly lr_drop: number;
  readonly fraction_warmup_steps: number;
  /** Steps of the run, instead of `epochs`. */
  readonly max_steps?: number | undefined;
  /** Fraction of the learning rates at which `all_cosine_with_warmup` ends. Default 0. */
  readonly final_lr_fraction?: number | undefined;
}

/** Python's `round`: halves go to the even integer. */
const roundHalfToEven = (value: number): number => {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
};

/** Number of steps with linearly rising learning rates. */
export const warmupSteps = (config: ScheduleConfig, totalSteps: number): number =>
  roundHalfToEven(config.fraction_warmup_steps * totalSteps);

/** Learning rates of a config, scaled by a factor for the text encoder and one for everything else. */
export const scaledRates = (config: ScheduleConfig, main: number, textEncoder: number): LearningRates => ({
  main: config.lr * main,
  backbone: config.lr_backbone * main,
  textEncoder: config.text_encoder_lr * textEncoder,
  wordVectors: config.text_encoder_lr * textEncoder * (config.word_vectors_lr_factor ?? 1),
});

/**
 * Learning rates that the schedule sets for a global step. The official loop calls it after the optimizer's step, so that
 * step 0 has full rates and the rates of step s apply to step s + 1.
 */
export const ratesAt = (config: ScheduleConfig, step: number, stepsPerEpoch: number): LearningRates => {
  const total = config.max_steps ?? stepsPerEpoch * config.epochs;
  const warmup = warmupSteps(config, total);
  const epoch = Math.floor(step / stepsPerEpoch);
  const rates = (main: number, textEncoder: number): LearningRates => scaledRates(config, main, textEncoder);
  const byDecades = 0.1 ** Math.floor(epoch / config.lr_drop);
  const rising = step / Math.max(1, warmup);
  const linear = step < warmup ? rising : Math.max(0, (total - step) / Math.max(1, total - warmup));
  switch (config.schedule) {
    case 'step':
      return rates(byDecades, byDecades);
    case 'multistep': {
      const passed = milestones(config).filter((milestone) => epoch >= milestone).length;
      return rates(0.5 ** passed, 0.5 ** passed);
    }
    case 'linear_with_warmup':
      return rates(byDecades, linear);
    case 'all_linear_with_warmup':
      return rates(linear, linear);
    case 'all_cosine_with_warmup': {
      const cosine = 0.5 * (1 + Math.cos((Math.PI * (step - warmup)) / Math.max(1, total - warmup)));
      const { final_lr_fraction: end = 0 } = config;
      const factor = step < warmup ? rising : end + (1 - end) * cosine;
      return rates(factor, factor);
    }
  }
};

/** Epochs at which `multistep` halves the learning rates: `lr_drop`, then every 50 epochs. */
const milestones = ({ lr_drop: first, epochs }: ScheduleConfig): number[] => {
  if (first < 1) throw new MdetrError(`lr_drop must be at least 1, not ${first}`);
  const found: number[] = [];
  for (let milestone = first; milestone < epochs; milestone += 50) found.push(milestone);
  return found;
};
