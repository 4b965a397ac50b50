import { Command, Option } from 'commander';
import type { FinetuneReport } from '../../train/finetune/finetune.ts';
import { addImportOptions, type ImportSettings } from '../options/import-options.ts';
import { ensureNativeLibrary } from '../options/native-library.ts';
import { collectSettings, integerFrom } from '../options/option-values.ts';
import { StopSignals } from '../options/stop-signals.ts';
import { note, print } from '../output/print.ts';
import { shellArgument } from '../output/shell-argument.ts';
import { stoppedText, TrainingProgress } from '../output/training-progress.ts';
import { importText, StepProgress } from './data/preparation-report.ts';

interface FinetuneCliOptions extends ImportSettings {
  readonly out?: string;
  readonly model?: string;
  readonly set?: readonly string[];
  readonly report?: string | false;
  readonly resume?: boolean;
  readonly device?: string;
  readonly threads?: number;
  readonly reportTo?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
SOURCE is the export of a labeling tool, which is imported to OUT/dataset as "mdetr data import" does, or a folder that that
command wrote. Then the annotations are checked, and a model is trained with settings that follow from the data. The initial
model is validated, too, and training ends when validations no longer improve, so the result is the best of all. Last it is
calibrated: its threshold, and the score from which a phrase counts as present.

OUT holds
  dataset/config.json   the settings, with the reason for each; edit it and run "mdetr train" on it
  run/best/             the model
  report/index.html     what the model finds, misses and confuses on the validation part
  run/                  log, curves and state of the run ("mdetr plot OUT/run" draws them)

Ctrl-C stops after the current step and saves; --resume continues.

Examples
  mdetr finetune export/
  mdetr finetune instances.json --images photos --out runs/mine --model pretrained_resnet101_checkpoint.pth
  mdetr finetune dataset/ --set max_steps=2000
  mdetr detect photo.jpg --caption "apple. banana." --model runs/mine/run/best`;

/** `mdetr finetune`: from annotations to a model in one call. */
export const finetuneCommand = (): Command =>
  addImportOptions(
    new Command('finetune')
      .description('Fine-tune a model on your own annotations, with settings chosen from the data.')
      .argument('<source>', 'export of a labeling tool, or a folder of "mdetr data import"')
      .option('--out <dir>', 'folder for the dataset and the model (default: runs/NAME, with the name of the source)')
      .option('--model <model>', 'model to start from: folder, checkpoint or name (default: default)'),
  )
    .option('--set <key=value>', 'setting that overrides the chosen one; may be repeated', collectSettings)
    .option('--report <dir>', 'folder of the report (default: OUT/report)')
    .option('--no-report', 'write no report')
    .option('--resume', 'continue an interrupted run')
    .option('--device <name>', 'device of the network')
    .option('--threads <n>', 'threads of the network', integerFrom(1))
    .addOption(
      new Option('--report-to <program>', "write the log also in another program's format").choices([
        'mlflow',
        'wandb-offline',
      ]),
    )
    .option('--json', 'print the report as one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(run);

const run = async (source: string, options: FinetuneCliOptions, cli: Command): Promise<void> => {
  const { class: defaultClass, device, threads, json, reportTo, ...rest } = options;
  await ensureNativeLibrary(device ?? 'cpu');
  const { finetune } = await import('../../train/finetune/finetune.ts');
  const signals = new StopSignals(() =>
    note('stopping after the current step, which is saved (a second Ctrl-C stops at once and loses unsaved steps)'),
  );
  const steps = new StepProgress(signals.signal);
  const training = new TrainingProgress(() => undefined);
  const command = commandOf(source, cli);
  try {
    const report = await finetune({
      ...rest,
      source,
      defaultClass,
      settings: [
        ...(options.set ?? []),
        ...(device === undefined ? [] : [`device=${JSON.stringify(device)}`]),
        ...(reportTo === undefined ? [] : [`report_to=${JSON.stringify(reportTo)}`]),
        ...(threads === undefined ? [] : [`threads=${threads}`]),
      ],
      signal: signals.signal,
      progress: steps,
      observer: training,
      command,
      onImported: (imported) => {
        steps.stop();
        if (json !== true) note(importText(imported).trimEnd());
      },
    });
    if (!report.summary.isDone) note(stoppedText(report.summary.steps, `${command} --resume`));
    else print(json === true ? `${JSON.stringify(report)}\n` : reportText(report));
  } catch (error) {
    if (!signals.signal.aborted) throw error;
  } finally {
    steps.stop();
    training.stop();
    signals.forget();
  }
  signals.endAsAsked();
};

const reportText = ({ config, summary, before, model, calibrated, report }: FinetuneReport): string => {
  const { best, steps } = summary;
  const validated =
    best === undefined
      ? 'no validation part, so the last model counts'
      : `AP50 ${before === undefined ? '' : `${before.toFixed(3)} → `}${best.metric.toFixed(3)} at step ${best.step}`;
  const threshold = calibrated === undefined ? '' : `, threshold ${calibrated.calibration.threshold}`;
  return `${model}: ${steps} steps, ${validated}${threshold}\nsettings and their reasons: ${config}\n${report === undefined ? '' : `report: ${report}\n`}`;
};

/** The command that repeats the call, with all options that were given and have an effect on the model. */
const commandOf = (source: string, command: Command): string => {
  const given = command.options.flatMap((option) => {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli' || name === 'resume' || name === 'json') return [];
    const value: unknown = command.getOptionValue(name);
    if (option.negate !== (value === false)) return [];
    if (option.negate) return [option.long!];
    const values = name === 'set' ? (value as readonly unknown[]) : [value];
    return values.map((each) => `${option.long!} ${shellArgument(String(each))}`);
  });
  return ['mdetr finetune', shellArgument(source), ...given].join(' ');
};
