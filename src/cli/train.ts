import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { ConfigFile } from '../train/config-file.ts';
import type { RunSummary } from '../train/training-run.ts';
import { severalSettings, wholeFrom } from './option-values.ts';
import { note } from './progress.ts';
import { TrainingProgress } from './training-progress.ts';

interface TrainOptions {
  readonly set?: readonly string[];
  readonly outputDir?: string;
  readonly resume?: boolean;
  readonly load?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly workers?: number;
  readonly onBadRow?: 'stop' | 'skip';
}

const examples = `
A config is a JSON file with the official argument names; docs/training.md lists them all. The run's folder holds
  state.safetensors   everything that --resume goes on from
  last/, best/        model folders: the newest weights, and those of the best validation
  log.jsonl           losses, rates, times and validations; mdetr plot draws them
  tensorboard/        the same for TensorBoard

Examples
  mdetr train configs/scenes/default.json --output-dir runs/scenes
  mdetr train configs/finetune.json --set epochs=5 --resume
  mdetr train configs/refcoco.json --load pretrained_resnet101_checkpoint.pth --set coco_path=data/coco`;

/** `mdetr train`: trains or fine-tunes. */
export const trainCommand = (): Command =>
  new Command('train')
    .description('Train or fine-tune; an interrupted run goes on exactly with --resume.')
    .argument('<config>', 'JSON with the official argument names')
    .option('--set <key=value>', 'a setting that wins over the file; may be given several times', severalSettings)
    .option('--output-dir <dir>', "the run's folder")
    .option('--resume', 'go on from the state in the folder, if there is one')
    .option('--load <model>', 'weights to start from: model folder, .pth, .safetensors, or a name')
    .option('--device <name>', 'cpu everywhere; webgpu, cuda, coreml, dml where the machine has them')
    .option('--threads <n>', 'threads of the network (default: one a core)', wholeFrom(1))
    .option('--workers <n>', 'threads that make batches; the result does not depend on it', wholeFrom(0))
    .addOption(new Option('--on-bad-row <what>', 'about rows that cannot be used').choices(['stop', 'skip']))
    .addHelpText('after', examples)
    .action(async (path: string, options: TrainOptions) => {
      const { readConfigFile } = await import('../train/config-file.ts');
      const file = await readConfigFile(path, settingsOf(options));
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.on('SIGINT', onSignal);
      process.on('SIGTERM', onSignal);
      try {
        await trainStages(path, file, options, stop.signal);
      } finally {
        process.off('SIGINT', onSignal);
        process.off('SIGTERM', onSignal);
      }
    });

/** Options are settings by another name. */
const settingsOf = ({ set = [], outputDir, load, device, threads, workers, onBadRow }: TrainOptions): string[] => {
  const named = { output_dir: outputDir, load, device, threads, num_workers: workers, on_bad_row: onBadRow };
  return [
    ...set,
    ...Object.entries(named).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${JSON.stringify(value)}`],
    ),
  ];
};

/** Trains the stages of a config one after the other, each from the weights of the one before. */
const trainStages = async (
  path: string,
  file: ConfigFile,
  options: TrainOptions,
  signal: AbortSignal,
): Promise<void> => {
  // The engine takes a while to load, which a wrong call need not wait for.
  const { parseTrainConfig } = await import('../train/config.ts');
  const configs = file.stages.map(({ name, values }) => {
    const config = parseTrainConfig(values, file.stages.length > 1 ? `${path}, stage ${name}` : path);
    return { name, config: { ...config, output_dir: name === '' ? config.output_dir : join(config.output_dir, name) } };
  });
  const { runTraining, findRunState, stateFile, writeConfig } = await import('../train/training-run.ts');
  const { NodeRuntime } = await import('../runtime/node/node-runtime.ts');
  let startFrom: string | undefined;
  for (const { name, config } of configs) {
    const statePath = join(config.output_dir, stateFile);
    if (configs.length > 1) note(`stage ${name}`);
    if (options.resume === true && (await findRunState(config.output_dir))?.position.isDone === true) {
      note(`${config.output_dir}: done already`);
      startFrom = statePath;
      continue;
    }
    const progress = new TrainingProgress();
    let summary: RunSummary;
    try {
      const { validatorFor } = await import('./training-validation.ts');
      summary = await runTraining(config, {
        runtime: new NodeRuntime({
          device: config.device,
          ...(config.threads === undefined ? {} : { threads: config.threads }),
        }),
        resume: options.resume === true,
        signal,
        observer: progress,
        ...(config.threads === undefined ? {} : { threads: config.threads }),
        ...validatorFor(config),
        startFrom,
        command: commandLine(path, options),
      });
      await writeConfig(config.output_dir, config);
    } finally {
      progress.stop();
    }
    report(config.output_dir, summary, path, options);
    if (!summary.isDone) return;
    startFrom = statePath;
  }
};

const report = (folder: string, summary: RunSummary, path: string, options: TrainOptions): void => {
  const { steps, isDone, loss, skippedRows } = summary;
  if (skippedRows > 0) note(`${skippedRows} rows could not be used and were left out (log.jsonl names them)`);
  if (isDone) {
    const ending = loss === undefined ? '' : `, loss ${loss.toFixed(4)}`;
    process.stdout.write(`${folder}: ${steps} steps done${ending}; model in ${join(folder, 'last')}\n`);
    return;
  }
  note(
    `stopped after step ${steps}, everything is saved. Go on with:\n  ${commandLine(path, { ...options, resume: true })}`,
  );
  process.exitCode = 130;
};

const commandLine = (path: string, options: TrainOptions): string =>
  [
    'mdetr train',
    path,
    ...(options.set ?? []).map((setting) => `--set ${quoted(setting)}`),
    ...(options.outputDir === undefined ? [] : [`--output-dir ${quoted(options.outputDir)}`]),
    ...(options.load === undefined ? [] : [`--load ${quoted(options.load)}`]),
    ...(options.threads === undefined ? [] : [`--threads ${options.threads}`]),
    ...(options.resume === true ? ['--resume'] : []),
  ].join(' ');

const quoted = (text: string): string => (/^[\w./=:+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
