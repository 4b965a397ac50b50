import { type Command, Option } from 'commander';
import { describePlacement } from '../../engine/runtime/placement.ts';
import type { FromPretrainedOptions } from '../../inference/node/load-options.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { PRECISIONS, type Precision } from '../../model-folder/precision.ts';
import { integerFrom } from './option-values.ts';
import { note } from '../output/print.ts';
import { StatusLine } from '../output/progress.ts';
import { ensureNativeLibrary } from './native-library.ts';

/** Options of every command that runs a model. */
export interface ModelOptions {
  /** Undefined where the image decides. */
  readonly model?: string | undefined;
  readonly weights?: 'model' | 'ema';
  readonly tokenizer?: string;
  readonly config?: string;
  readonly device: string;
  readonly strictDevice?: boolean;
  readonly dtype?: Precision;
  readonly threads?: number;
  readonly verbose?: boolean;
}

/** Adds the options that select the files of a model. */
export const addSourceOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--weights <which>',
        'weights of a training checkpoint: the last ones or their moving average (default: ema if present)',
      ).choices(['model', 'ema']),
    )
    .option('--tokenizer <dir>', 'vocabulary of a checkpoint without one: a folder, or a name of "mdetr pull --list"')
    .option('--config <file>', 'JSON file with the official arguments, for weights without them');

/** Adds the options that say how a model runs. */
export const addDeviceOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--dtype <name>',
        'precision of the compiled weights; int8 also computes with integers after "mdetr quantize" (default: float32, or that of an exported folder)',
      ).choices([...PRECISIONS]),
    )
    .option('--device <name>', 'device: cpu, or webgpu, cuda, coreml or dml where available', 'cpu')
    .option('--threads <n>', 'threads of the network (default: one per core)', integerFrom(1));

const MODEL_HELP = 'model folder, .pth or .safetensors file, or name of a model';

/**
 * Adds the options that select a model and how it runs.
 *
 * @param choice `by image` for commands that choose an embedded model for each image
 */
export const addModelOptions = (command: Command, choice: 'fixed' | 'by image' = 'fixed'): Command =>
  addDeviceOptions(
    addSourceOptions(
      choice === 'fixed'
        ? command.option('--model <model>', MODEL_HELP, 'default')
        : command.option(
            '--model <model>',
            `${MODEL_HELP} (default: by image, default for scenes, photos for photographs)`,
          ),
    ),
  )
    .option('--strict-device', 'fail if a node of a program runs on the CPU instead of --device')
    .option('--verbose', 'print which weights were loaded, progress, and what runs on the CPU instead of --device');

/** Loads the model. Progress, and the notice of its authors if there is one, are printed to stderr. */
export const loadModel = async (
  options: ModelOptions,
  more: Pick<FromPretrainedOptions, 'answers' | 'onPreprocessing'> = {},
): Promise<MDETR> => {
  // Loading ONNX Runtime takes a quarter of a second. Wrong calls are reported before it.
  const { MDETR } = await import('../../inference/node/mdetr.ts');
  await ensureNativeLibrary(options.device);
  const status = new StatusLine(options.verbose === true);
  try {
    const { model, weights, tokenizer, config, device, strictDevice, dtype, threads } = options;
    const loaded = await MDETR.fromPretrained(model, {
      weights,
      tokenizer,
      config,
      device,
      strictDevice,
      onPlacement: options.verbose === true ? (placement) => note(describePlacement(placement)) : undefined,
      dtype,
      threads,
      ...more,
      onProgress: ({ status: stage, name }) => {
        if (stage === 'compiling') status.show(`compiling the ${name} program`);
        else if (stage !== 'ready') status.show(`${stage} ${name}`);
      },
    });
    status.clear();
    if (options.verbose === true && loaded.loadReport !== undefined) note(loaded.loadReport);
    if (loaded.notice !== undefined) note(loaded.notice);
    return loaded;
  } finally {
    status.clear();
  }
};
