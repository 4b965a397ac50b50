import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { Orientation } from '../../data/images/orientation.ts';
import { dataSchema } from '../../train/config/slices/datasets.ts';
import { initializationSchema } from '../../train/config/slices/initialization.ts';
import { runSchema } from '../../train/config/slices/run.ts';
import type { RunSummary } from '../../train/run/run-observer.ts';
import { ensureNativeLibrary } from '../options/native-library.ts';
import { collectSettings, integerFrom } from '../options/option-values.ts';
import { StopSignals } from '../options/stop-signals.ts';
import { note, print } from '../output/print.ts';
import { shellArgument } from '../output/shell-argument.ts';
import { stoppedText, TrainingProgress } from '../output/training-progress.ts';

interface TrainOptions {
  readonly set?: readonly string[];
  readonly outputDir?: string;
  readonly resume?: boolean;
  readonly load?: string;
  readonly device?: string;
  readonly strictDevice?: boolean;
  readonly verbose?: boolean;
  readonly threads?: number;
  readonly workers?: number;
  readonly replicas?: number;
  readonly orientation?: Orientation;
  readonly onBadRow?: 'stop' | 'skip';
  readonly reportTo?: 'mlflow' | 'wandb-offline';
}

/** Options that are keys of the config by another name, with the schemas of those keys. */
const KEY_OPTIONS = [
  { option: 'outputDir', flags: '--output-dir <dir>', key: 'output_dir', schema: runSchema.shape.output_dir },
  { option: 'load', flags: '--load <model>', key: 'load', schema: initializationSchema.shape.load },
  { option: 'device', flags: '--device <name>', key: 'device', schema: runSchema.shape.device },
  {
    option: 'strictDevice',
    flags: '--strict-device',
    key: 'strict_device',
    schema: runSchema.shape.strict_device,
  },
  { option: 'threads', flags: '--threads <n>', key: 'threads', schema: runSchema.shape.threads, min: 1 },
  { option: 'replicas', flags: '--replicas <n>', key: 'replicas', schema: runSchema.shape.replicas, min: 1 },
  { option: 'workers', flags: '--workers <n>', key: 'num_workers', schema: dataSchema.shape.num_workers, min: 0 },
  {
    option: 'orientation',
    flags: '--orientation <kind>',
    key: 'orientation',
    schema: dataSchema.shape.orientation,
  },
  { option: 'onBadRow', flags: '--on-bad-row <action>', key: 'on_bad_row', schema: dataSchema.shape.on_bad_row },
  { option: 'reportTo', flags: '--report-to <program>', key: 'report_to', schema: runSchema.shape.report_to },
] as const;

const EXAMPLES = `
A config is a JSON file with the official argument names; docs/training.md explains every key. Paths that it reads are
looked for beside the file, then in the working folder; --output-dir and paths given by options are relative to the
working folder. The run's folder holds
  state.safetensors   the state that --resume continues from
  last/, best/        model folders: the newest weights, and those of the best validation
  log.jsonl           losses, learning rates, times and validations; mdetr plot draws them
  tensorboard/        the same for TensorBoard, with images of validations
  config.json         all settings
  run.json            versions, processor, seed and digests of the data

Ctrl-C stops a run after the current step, saves it and prints how to resume it.

Examples
  mdetr train configs/scenes/default.json --output-dir runs/scenes
  mdetr train configs/refcoco.json --load pretrained_resnet101_checkpoint.pth --set coco_path=data/coco
  mdetr train runs/mine/config.json --resume
  mdetr train my.json --set batch_size=4 --set accumulate=4 --replicas 4
  mdetr train my.json --set epochs=5 --set lr=5e-5 --on-bad-row skip`;

/** `mdetr train`: trains or fine-tunes. */
export const trainCommand = (): Command => {
  const command = new Command('train')
    .description('Train or fine-tune; --resume continues an interrupted run exactly.')
    .argument('<config>', 'JSON file with the official argument names')
    .option('--set <key=value>', 'setting that overrides the file; may be repeated', collectSettings)
    .option('--resume', 'continue from the state in the output folder, if there is one');
  for (const keyOption of KEY_OPTIONS) command.addOption(optionOf(keyOption));
  command.option('--verbose', 'print which nodes of a program run on the CPU instead of --device');
  return command.addHelpText('after', EXAMPLES).action(train);
};

/** A command-line option, described by the schema of its key. */
const optionOf = (keyOption: (typeof KEY_OPTIONS)[number]): Option => {
  const { flags, schema } = keyOption;
  const { description = '', shown } = schema.meta() ?? {};
  const text = description.replace(/\.$/, '').replaceAll('`', '');
  const sentence = text.charAt(0).toLowerCase() + text.slice(1);
  const option = new Option(flags, typeof shown === 'string' ? `${sentence} (default: ${shown})` : sentence);
  if (keyOption.key === 'on_bad_row' || keyOption.key === 'orientation')
    option.choices(keyOption.schema.unwrap().options);
  if ('min' in keyOption) option.argParser(integerFrom(keyOption.min));
  return option;
};

const train = async (path: string, options: TrainOptions): Promise<void> => {
  await ensureNativeLibrary(options.device ?? 'cpu');
  const { runTraining } = await import('../../train/run/run-training.ts');
  const { mpiLaunch } = await import('../../train/parallel/mpi/mpi-launch.ts');
  const isFirst = (mpiLaunch()?.rank ?? 0) === 0;
  const signals = new StopSignals(() => {
    if (isFirst)
      note('stopping after the current step, which is saved (a second Ctrl-C stops at once and loses unsaved steps)');
  });
  const progress = new TrainingProgress((summary) => printSummary(summary, path, options), options.verbose === true);
  try {
    await runTraining(path, {
      settings: settingsOf(options),
      resume: options.resume === true,
      signal: signals.signal,
      observer: progress,
      command: commandLine(path, options),
    });
  } finally {
    progress.stop();
    signals.forget();
  }
  signals.endAsAsked();
};

/** `--set` and the options that stand for keys, as settings. */
const settingsOf = (options: TrainOptions): string[] => [
  ...(options.set ?? []),
  ...KEY_OPTIONS.flatMap(({ option, key }) => {
    const value = options[option];
    return value === undefined ? [] : [`${key}=${JSON.stringify(value)}`];
  }),
];

const printSummary = (summary: RunSummary, path: string, options: TrainOptions): void => {
  const { folder, steps, isDone, loss, skippedRows, best } = summary;
  if (skippedRows > 0) note(`${skippedRows} rows could not be used and were skipped (log.jsonl names them)`);
  if (!isDone) {
    const resume = commandLine(path, { ...options, resume: true });
    note(stoppedText(steps, resume));
    return;
  }
  const ending = loss === undefined ? '' : `, loss ${loss.toFixed(4)}`;
  const validated =
    best === undefined ? '' : `, the best (${best.metric.toFixed(4)} at step ${best.step}) in ${join(folder, 'best')}`;
  print(`${folder}: ${steps} steps done${ending}; model in ${join(folder, 'last')}${validated}\n`);
};

/** The command that repeats the call. */
const commandLine = (path: string, options: TrainOptions): string =>
  [
    'mdetr train',
    shellArgument(path),
    ...(options.set ?? []).map((setting) => `--set ${shellArgument(setting)}`),
    ...KEY_OPTIONS.flatMap(({ option, flags }) => {
      const value = options[option];
      if (value === undefined) return [];
      return value === true ? [flags] : [`${flags.replace(/ .*/, '')} ${shellArgument(String(value))}`];
    }),
    ...(options.resume === true ? ['--resume'] : []),
  ].join(' ');
