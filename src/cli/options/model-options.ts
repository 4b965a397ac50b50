import { type Command, Option } from 'commander';
import type { FromPretrainedOptions } from '../../inference/node/load-options.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { integerFrom } from './option-values.ts';
import { note, StatusLine } from '../output/progress.ts';
import { ensureNativeLibrary } from './native-library.ts';

/** Options of every command that runs a model. */
export interface ModelOptions {
  readonly model: string;
  readonly weights?: 'model' | 'ema';
  readonly tokenizer?: string;
  readonly config?: string;
  readonly device: string;
  readonly threads?: number;
  readonly verbose?: boolean;
}

/** Options that say which files a model is read from. */
export const addSourceOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--weights <which>', 'of a training checkpoint (default: ema where there is one)').choices([
        'model',
        'ema',
      ]),
    )
    .option('--tokenizer <dir>', 'vocabulary files for a bare checkpoint: a folder, or the name of a pulled one')
    .option('--config <file>', 'JSON with the official arguments, for weights that carry none');

export const addModelOptions = (command: Command): Command =>
  addSourceOptions(
    command.option('--model <model>', 'model folder, .pth, .safetensors, or the name of a model', 'default'),
  )
    .option('--device <name>', 'cpu everywhere; webgpu, cuda, coreml, dml where the machine has them', 'cpu')
    .option('--threads <n>', 'threads of the network (default: one a core)', integerFrom(1))
    .option('--verbose', 'tell what was loaded and what is going on');

/** Loads the model; tells on stderr what it takes time for, and what its makers want known. */
export const loadModel = async (
  options: ModelOptions,
  more: Pick<FromPretrainedOptions, 'answers'> = {},
): Promise<MDETR> => {
  // The engine behind this takes a quarter of a second to load, which a wrong call need not wait for.
  const { MDETR } = await import('../../inference/node/mdetr.ts');
  await ensureNativeLibrary(options.device);
  const status = new StatusLine(options.verbose === true);
  try {
    const { model, weights, tokenizer, config, device, threads } = options;
    const loaded = await MDETR.fromPretrained(model, {
      weights,
      tokenizer,
      config,
      device,
      threads,
      ...more,
      onProgress: ({ status: stage, name }) => {
        if (stage !== 'ready') status.show(stage === 'reading' ? `reading ${name}` : `compiling the ${name} network`);
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
