import * as z from 'zod';
import { flag, nonnegativeInteger, path, positiveInteger } from './values.ts';

/** When the model is validated. @internal */
export const validationSchema = z.object({
  eval_skip: positiveInteger.default(1).meta({ description: 'Epochs between validations.' }),
  validate_every: positiveInteger
    .optional()
    .meta({ description: 'Steps between validations, instead of `eval_skip`.', own: true }),
  validate_start: flag.optional().meta({
    description: 'Validates before the first step, too, so that `best/` is never worse than the initial model.',
    own: true,
    shown: 'no',
  }),
  patience: positiveInteger.optional().meta({
    description: 'Ends the run after this many validations in a row that are not better than the best one.',
    own: true,
    shown: 'never',
  }),
  max_validation_images: nonnegativeInteger
    .default(0)
    .meta({ description: 'Maximum number of images of each validation set; 0 for all.', own: true }),
});

/** Folder, seed, devices and log of a run. @internal */
export const runSchema = z.object({
  output_dir: path.default('').meta({ description: 'Folder of the run.' }),
  run_name: z.string().default('').meta({ description: 'Title of the model card.' }),
  seed: nonnegativeInteger.default(42).meta({ description: 'Seed of the order of rows, augmentation and dropout.' }),
  device: z
    .string()
    .default('cpu')
    .meta({ description: '`cpu`, or `webgpu`, `cuda`, `coreml`, `dml` if the machine supports it.' }),
  strict_device: flag.optional().meta({
    description: 'Ends the run with an error if a node of a program runs on the CPU instead of `device`.',
    own: true,
    shown: 'no',
  }),
  threads: positiveInteger.optional().meta({
    description: 'Threads of the network; with replicas, of each.',
    own: true,
    shown: 'one per core',
  }),
  batch_parts: positiveInteger.optional().meta({
    description:
      'Parts of a batch, each of some of its images, that are computed side by side on the threads: small networks use few cores better this way.',
    own: true,
    shown: 'measured when the run begins',
  }),
  replicas: positiveInteger.default(1).meta({
    description: 'Copies of the network in threads of their own, which share the `accumulate` batches of every step.',
    own: true,
  }),
  shard_optimizer: flag.default(false).meta({
    description:
      "Divides the optimizer's state among the replicas and processes of a run, which saves memory and sends all weights in every step. The state file is the same.",
    own: true,
  }),
  gradient_exchange: z.enum(['float32', 'bfloat16']).default('float32').meta({
    description:
      'Precision in which replicas and processes exchange gradients. `bfloat16` sends half the bytes between hosts and rounds each gradient twice, by at most 0.4 % each time.',
    own: true,
  }),
  log_every: positiveInteger.default(10).meta({ description: 'Steps between entries of the log.', own: true }),
  save_every: positiveInteger
    .default(500)
    .meta({ description: 'Steps between saves of the resumable state, in addition to the ends of epochs.', own: true }),
  report_to: z.enum(['mlflow', 'wandb-offline']).optional().meta({
    description:
      "Writes the log also in another program's format, at every save: `mlflow` for MLflow's file store (`mlruns/` in the folder of the run), `wandb-offline` for an offline run of Weights & Biases (`wandb/`). Nothing is sent.",
    own: true,
    shown: 'none',
  }),
});

export type { RunConfig, ValidationConfig } from '../run-settings.ts';
