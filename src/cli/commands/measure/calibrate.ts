import { Command, Option } from 'commander';
import { calibrate } from '../../../train/calibration/calibrate.ts';
import type { Calibration } from '../../../model-folder/calibration.ts';
import { addModelOptions, type ModelOptions } from '../../options/model-options.ts';
import { ensureNativeLibrary } from '../../options/native-library.ts';
import { fractionBelowOne, integerFrom } from '../../options/option-values.ts';
import { interruptible } from '../../options/stop-signals.ts';
import { note, print } from '../../output/print.ts';
import { Progress } from '../../output/progress.ts';
import { formatTable } from '../../output/table.ts';

interface CalibrateCommandOptions extends ModelOptions {
  readonly model: string;
  readonly data: string;
  readonly images?: readonly string[];
  readonly limit: number;
  readonly batchSize: number;
  readonly f1Margin: number;
  readonly onBadRow: 'stop' | 'skip';
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Two numbers are measured on data that the model was not trained on:
  threshold  score of a detection, with the largest F1 of the boxes (IoU 0.5); the default of --threshold
             (--f1-margin 0.01: the highest one within a hundredth of that F1, for fewer false boxes in other wordings)
  presence   score of a phrase, above which the image shows it; results then say "present": true or false
They are written under "calibration" in the model's config.json, and nothing else of the model changes. For a .pth file they
are written beside it, as NAME.calibration.json; "mdetr convert" takes them along.

Data: a folder of "mdetr data import" or "mdetr scenes", an annotation file, or a training config (its datasets_val). Phrases
marked as absent (tokens_negative) are used where there are enough; else phrases of other images are asked for.

Examples
  mdetr calibrate --model models/mine --data imported/
  mdetr calibrate --model pretrained_resnet101_checkpoint.pth --tokenizer roberta/ --data val.json --images photos/
  mdetr calibrate --model runs/mine/model --data configs/mine.json --dry-run`;

/** `mdetr calibrate`: measures a model's threshold and the presence of phrases. */
export const calibrateCommand = (): Command => {
  const command = new Command('calibrate')
    .description('Measure which scores mean "found" and "present" for a model, and store them in it.')
    .requiredOption('--data <data>', 'annotation file, folder of data or training config')
    .option('--images <folder...>', 'image folder, or SOURCE=FOLDER for each data_source (default: those of the data)')
    .option('--limit <n>', 'maximum number of captions, spread over the data', integerFrom(1), 1000)
    .option('--batch-size <n>', 'captions in one run of the network', integerFrom(1), 4)
    .option('--f1-margin <f1>', 'amount of F1 that a higher threshold may cost', fractionBelowOne, 0)
    .addOption(
      new Option('--on-bad-row <action>', 'what to do with rows that cannot be used')
        .choices(['stop', 'skip'])
        .default('stop'),
    )
    .option('--dry-run', 'print the numbers without writing them')
    .option('--json', 'print one JSON object');
  return addModelOptions(command).addHelpText('after', EXAMPLES).action(run);
};

const run = async (options: CalibrateCommandOptions): Promise<void> => {
  const { model, data, images, limit, batchSize, f1Margin, onBadRow, dryRun, json } = options;
  await ensureNativeLibrary(options.device);
  const { weights, tokenizer, config, device, threads } = options;
  let progress: Progress | undefined;
  await interruptible(async (signal) => {
    try {
      const { calibration, path } = await calibrate({
        model,
        data,
        images,
        limit,
        batchSize,
        f1Margin,
        onBadRow,
        signal,
        write: dryRun !== true,
        load: { weights, tokenizer, config, device, threads },
        onProgress: (done, total) => {
          progress ??= new Progress('captions', total, { resultsComeLast: true });
          progress.update(done);
        },
      });
      progress?.stop();
      print(json === true ? `${JSON.stringify({ ...calibration, path: path ?? null })}\n` : textOf(calibration));
      if (path !== undefined) note(`written to ${path}`);
    } finally {
      progress?.stop();
    }
  });
};

const textOf = ({ threshold, presence, data }: Calibration): string => {
  const percent = (value: number | undefined): string => (value === undefined ? '–' : `${(100 * value).toFixed(1)} %`);
  const rows = [
    ['threshold', String(threshold), `F1 ${percent(data.f1)} of ${data.boxes} boxes (IoU 0.5)`],
    [
      'presence',
      String(presence),
      `${percent(data.present_found)} of ${data.present_phrases} present and ${percent(data.absent_found)} of ${data.absent_phrases} absent phrases are told right`,
    ],
  ];
  const made =
    data.absent_phrases === 0
      ? '  absent phrases: none, since all images show the same kinds of objects; a phrase counts as present if it is boxed\n'
      : data.made_absent === true
        ? '  absent phrases: those of other images\n'
        : '';
  return `${data.name}: ${data.captions} captions of ${data.images} images\n${formatTable([{ title: '' }, { title: '' }, { title: '' }], rows, '  ')}${made}`;
};
