import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import type { ConfigFile } from '../../train/config/config-file.ts';
import type { RunSummary } from '../../train/run/training-run.ts';
import { severalSettings, wholeFrom } from '../options/option-values.ts';
import { note } from '../output/progress.ts';
import { TrainingProgress } from '../output/training-progress.ts';
import { StopSignals } from '../options/training-signals.ts';

interface TrainOptions {
  readonly set?: readonly string[];
  readonly outputDir?: string;
  readonly resume?: boolean;
  readonly load?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly workers?: number;
  readonly replicas?: number;
  readonly onBadRow?: 'stop' | 'skip';
}

const examples = `
A config is a JSON file with the official argument names; docs/training.md explains every key. The run's folder holds
  state.safetensors   everything that --resume goes on from
  last/, best/        model folders: the newest weights, and those of the best validation
  log.jsonl           losses, rates, times and validations; mdetr plot draws them
  tensorboard/        the same for TensorBoard
  config.json         all settings, complete

Ctrl-C ends a run after the step at hand, saves it and says how to go on.

Examples
  mdetr train configs/scenes/default.json --output-dir runs/scenes
  mdetr train configs/refcoco.json --load pretrained_resnet101_checkpoint.pth --set coco_path=data/coco
  mdetr train runs/mine/config.json --resume
  mdetr train my.json --set batch_size=4 --set accumulate=4 --replicas 4
  mdetr train my.json --set epochs=5 --set lr=5e-5 --on-bad-row skip`;

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
    .option('--replicas <n>', 'copies of the network that share the batches of a step (accumulate)', wholeFrom(1))
    .option('--workers <n>', 'threads that make batches; the result does not depend on it', wholeFrom(0))
    .addOption(new Option('--on-bad-row <what>', 'about rows that cannot be used').choices(['stop', 'skip']))
    .addHelpText('after', examples)
    .action(async (path: string, options: TrainOptions) => {
      const { findConfig, readConfigFile, withLoadedModel } = await import('../../train/config/config-file.ts');
      const file = await readConfigFile(await findConfig(path), settingsOf(options));
      for (const text of file.notes) note(`${path}: ${text}`);
      const stages = await Promise.all(
        file.stages.map(async ({ name, values }) => ({ name, values: await withLoadedModel(values) })),
      );
      const signals = new StopSignals();
      try {
        await trainStages(path, { ...file, stages }, options, signals.signal);
      } finally {
        signals.forget();
      }
      signals.endAsAsked();
    });

/** Options are settings by another name. */
const settingsOf = ({
  set = [],
  outputDir,
  load,
  device,
  threads,
  replicas,
  workers,
  onBadRow,
}: TrainOptions): string[] => {
  const named = { output_dir: outputDir, load, device, threads, replicas, num_workers: workers, on_bad_row: onBadRow };
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
  const { parseTrainConfig } = await import('../../train/config/config.ts');
  const { stagesOf, stageToGoOnIn } = await import('../../train/run/stages.ts');
  const stages = stagesOf(file, parseTrainConfig);
  // The engine takes a while to load, which a wrong call need not wait for.
  const { runReplicas } = await import('../../train/run/replicas.ts');
  const { stateFile, writeStages } = await import('../../train/run/run-folder.ts');
  const { validatorFor } = await import('../../train/run/validation.ts');
  const first = options.resume === true ? stageToGoOnIn(stages, stateFile) : 0;
  if (stages.length > 1)
    await writeStages(
      dirname(stages[0]!.config.output_dir),
      stages.map(({ name }) => name),
    );
  for (const [index, { name, config }] of stages.entries()) {
    if (index < first) continue;
    if (name !== '') note(`stage ${name} (${index + 1} of ${stages.length})`);
    const before = stages[index - 1]?.config.output_dir;
    const progress = new TrainingProgress();
    let summary: RunSummary;
    try {
      summary = await runReplicas(config, {
        resume: options.resume === true,
        signal,
        observer: progress,
        validate: validatorFor(config, progress),
        startFrom: before === undefined ? undefined : join(before, stateFile),
        command: commandLine(path, options),
      });
    } finally {
      progress.stop();
    }
    report(config.output_dir, summary, path, options);
    if (!summary.isDone) return;
  }
};

const report = (folder: string, summary: RunSummary, path: string, options: TrainOptions): void => {
  const { steps, isDone, loss, skippedRows, best } = summary;
  if (skippedRows > 0) note(`${skippedRows} rows could not be used and were left out (log.jsonl names them)`);
  if (isDone) {
    const ending = loss === undefined ? '' : `, loss ${loss.toFixed(4)}`;
    const measured =
      best === undefined
        ? ''
        : `, the best (${best.metric.toFixed(4)} at step ${best.step}) in ${join(folder, 'best')}`;
    process.stdout.write(`${folder}: ${steps} steps done${ending}; model in ${join(folder, 'last')}${measured}\n`);
    return;
  }
  note(
    `stopped after step ${steps}, everything is saved. Go on with:\n  ${commandLine(path, { ...options, resume: true })}`,
  );
};

/** How to call it again. */
const commandLine = (path: string, options: TrainOptions): string => {
  const { set = [], outputDir, load, device, threads, replicas, workers, onBadRow, resume } = options;
  const given: readonly (readonly [string, string | number | undefined])[] = [
    ...set.map((setting) => ['--set', setting] as const),
    ['--output-dir', outputDir],
    ['--load', load],
    ['--device', device],
    ['--threads', threads],
    ['--replicas', replicas],
    ['--workers', workers],
    ['--on-bad-row', onBadRow],
  ];
  return [
    'mdetr train',
    quoted(path),
    ...given.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${quoted(String(value))}`])),
    ...(resume === true ? ['--resume'] : []),
  ].join(' ');
};

const quoted = (text: string): string => (/^[\w./=:+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
