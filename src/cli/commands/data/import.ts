import { Command } from 'commander';
import { importDataset } from '../../../datasets/import/import-dataset.ts';
import { importers } from '../../../datasets/import/importers.ts';
import { addImportOptions, type ImportSettings } from '../../options/import-options.ts';
import { interruptible } from '../../options/stop-signals.ts';
import { print } from '../../output/print.ts';
import { formatTable } from '../../output/table.ts';
import { importText, StepProgress } from './preparation-report.ts';

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

interface ImportCliOptions extends ImportSettings {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** `mdetr data import`: makes a dataset of annotations of a labeling tool. */
export const importCommand = (): Command =>
  addImportOptions(
    new Command('import')
      .description(
        'Make a dataset of your own annotations: COCO, VOC, YOLO, LabelMe, CSV, VIA, Label Studio, CVAT, ODVG, captions.',
      )
      .argument('<source>', 'annotation file or folder')
      .requiredOption('--out <dir>', 'output folder for train.json, val.json and config.json'),
  )
    .option('--overwrite', 'replace files of an earlier import')
    .option('--json', 'print the report as one JSON object')
    .addHelpText('after', help)
    .action(async (source: string, { class: defaultClass, json, ...options }: ImportCliOptions) => {
      await interruptible(async (signal) => {
        const progress = new StepProgress(signal);
        const report = await importDataset({ ...options, source, defaultClass, progress }).finally(() =>
          progress.stop(),
        );
        print(
          json === true
            ? `${JSON.stringify(report)}\n`
            : `${importText(report)}Train with\n  mdetr train ${report.config}\n`,
        );
      });
    });
