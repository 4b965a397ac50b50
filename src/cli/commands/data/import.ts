import { Command, InvalidArgumentError } from 'commander';
import { importDataset, type ImportReport } from '../../../datasets/import/import-dataset.ts';
import { importers } from '../../../datasets/import/importers.ts';
import { TEXT_KINDS, type TextKind } from '../../../datasets/import/made-texts.ts';
import { integerFrom } from '../../options/option-values.ts';
import { interruptible } from '../../options/stop-signals.ts';
import { print } from '../../output/print.ts';
import { formatCount, formatTable } from '../../output/table.ts';
import { remarksText, StepProgress } from './preparation-report.ts';

const help = (): string => `
SOURCE is an annotation file or a folder of a labeling tool's export. Written are train.json, val.json (and test.json, if the
source has a test part) in the official format, and config.json, which trains on them. Images are not copied: they are looked
for below SOURCE and --images, paths of other machines by their last folders. What is left out is reported with file and line.

Formats
${formatTable(
  [{ title: '' }, { title: '' }, { title: '' }],
  importers().map(({ name, title, files }) => [name, title, files]),
  '  ',
)}
Captions (--texts; several kinds can be given, separated by commas)
  classes    a list of the image's classes and of absent ones: "cat. dog. car."
  prompts    one caption for each class: "cat"
  captions   sentences with counts and positions: "two dogs and a cat on the left"
Sources with captions and phrases keep them.

Examples
  mdetr data import export.json --images photos --out dataset
  mdetr data import roboflow-export --out dataset --val-fraction 0.1
  mdetr data import boxes.csv --out dataset --texts classes,captions
  mdetr train dataset/config.json`;

interface ImportCliOptions {
  readonly out: string;
  readonly format?: string;
  readonly images?: string;
  readonly texts: readonly TextKind[];
  readonly negatives: number;
  readonly valFraction: number;
  readonly attributes?: 'all' | readonly string[];
  readonly class?: string;
  readonly classes?: string;
  readonly seed: number;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** `mdetr data import`: makes a dataset of annotations of a labeling tool. */
export const importCommand = (): Command =>
  new Command('import')
    .description(
      'Make a dataset of your own annotations: COCO, VOC, YOLO, LabelMe, CSV, VIA, Label Studio, CVAT, ODVG, captions.',
    )
    .argument('<source>', 'annotation file or folder')
    .requiredOption('--out <dir>', 'output folder for train.json, val.json and config.json')
    .option('--format <name>', 'format of the source (default: recognized)')
    .option('--images <dir>', 'folder of the images, if they are not below the source')
    .option('--texts <kinds>', 'captions to make from classes: classes, prompts, captions', textKinds, [
      'classes',
    ] as const)
    .option('--negatives <n>', 'absent classes that are mentioned for each image', integerFrom(0), 3)
    .option(
      '--val-fraction <f>',
      'fraction of the images for validation, if the source has no validation part',
      fractionBelowOne,
      0.2,
    )
    .option(
      '--attributes <names>',
      'attributes that become part of the phrases ("red car"): all, or a list',
      attributeChoice,
    )
    .option('--class <name>', 'class of objects to which the source gives none')
    .option('--classes <file>', 'names of numbered classes, one per line')
    .option('--seed <s>', 'seed of the validation part and of the captions', integerFrom(0), 0)
    .option('--overwrite', 'replace files of an earlier import')
    .option('--json', 'print the report as one JSON object')
    .addHelpText('after', help)
    .action(async (source: string, { class: defaultClass, json, ...options }: ImportCliOptions) => {
      await interruptible(async (signal) => {
        const progress = new StepProgress(signal);
        const report = await importDataset({ ...options, source, defaultClass, progress }).finally(() =>
          progress.stop(),
        );
        print(json === true ? `${JSON.stringify(report)}\n` : reportText(report));
      });
    });

const textKinds = (text: string): TextKind[] =>
  text.split(',').map((word) => {
    const kind = TEXT_KINDS.find((each) => each === word.trim());
    if (kind === undefined) throw new InvalidArgumentError(`It must be a list of ${TEXT_KINDS.join(', ')}.`);
    return kind;
  });

const fractionBelowOne = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('It must be a number from 0 to below 1.');
  return value;
};

const attributeChoice = (text: string): 'all' | string[] =>
  text.trim() === 'all' ? 'all' : text.split(',').map((name) => name.trim());

/** Classes that the report lists. */
const MAX_CLASSES = 20;

const reportText = (report: ImportReport): string => {
  const { format, sources, files, classes, config, imageFolder } = report;
  const names = Object.entries(classes);
  const list = names
    .slice(0, MAX_CLASSES)
    .map(([name, count]) => `${name} (${formatCount(count)})`)
    .join(', ');
  return [
    `${format}: ${sources.slice(0, 3).join(', ')}${sources.length > 3 ? `, … (${formatCount(sources.length)} files)` : ''}\n`,
    ...files.map(
      ({ path, images, annotations }) =>
        `${path}: ${formatCount(images)} captions, ${formatCount(annotations)} boxes\n`,
    ),
    names.length === 0
      ? ''
      : `${formatCount(names.length)} classes: ${list}${names.length > MAX_CLASSES ? ', …' : ''}\n`,
    `images: ${imageFolder}\n`,
    remarksText(report),
    `Train with\n  mdetr train ${config}\n`,
  ].join('');
};
