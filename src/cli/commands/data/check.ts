import { Command } from 'commander';
import { ImageRoots } from '../../../data/images/image-roots.ts';
import { type CheckReport, checkDataset, type FileReport } from '../../../datasets/inspect/check-dataset.ts';
import type { Finding } from '../../../datasets/inspect/findings.ts';
import { MdetrError } from '../../../errors.ts';
import { loadTokenizer } from '../../../text/node/tokenizer-files.ts';
import { several } from '../../options/option-values.ts';
import { Progress } from '../../output/progress.ts';
import { formatCount, formatTable } from '../../output/table.ts';
import { MegabyteProgress } from './index-files.ts';

const help = `
What it looks for
  rows that cannot be used: missing or wrong fields, spans outside the caption, boxes that are not finite, file names
  that leave the image folder; boxes without area or outside the image; annotations of no image; captions of more tokens
  than the text encoder reads, or than boxes can point at (with --tokenizer); images that are missing, broken or of
  another size (with --images); images that occur in several of the files, by name and by content

Exit status 1 when anything of that is an error.

Examples
  mdetr data check train.json val.json --images photos --tokenizer roberta-base
  mdetr data check mixed.json --images coco=train2014 --images vg=VG_100K --quick`;

interface CheckCliOptions {
  readonly images: readonly string[];
  readonly quick?: boolean;
  readonly captions: boolean;
  readonly tokenizer?: string;
  readonly json?: boolean;
}

/** `mdetr data check`: what is wrong with annotation files and their images. */
export const checkCommand = (): Command =>
  new Command('check')
    .description('Counts, and everything that is wrong with annotation files and their images.')
    .argument('<file...>', 'annotation files; several are taken for splits that must share no image')
    .option('--images <dir>', 'folder of the images, or SOURCE=DIR for each data_source', several, [])
    .option('--quick', 'open the images without decoding them whole')
    .option('--no-captions', 'the rows have no captions (plain COCO, LVIS)')
    .option('--tokenizer <dir>', 'folder with tokenizer.json, or vocab.json and merges.txt, to count tokens')
    .option('--json', 'print one JSON object')
    .addHelpText('after', help)
    .action(async (files: string[], { images, quick, captions, tokenizer, json }: CheckCliOptions) => {
      const bars = new StepBars();
      const report = await checkDataset(files, {
        quick,
        captions: captions ? 'required' : 'optional',
        ...(images.length > 0 && { roots: ImageRoots.parse(images) }),
        ...(tokenizer !== undefined && { tokenizer: await loadTokenizer(tokenizer) }),
        onStep: (file, what, done, total) => bars.show(`${file}: ${what}`, done, total),
        onProgress: (done, total) => bars.indexing(done, total),
      }).finally(() => bars.stop());
      process.stdout.write(json === true ? `${JSON.stringify(report)}\n` : reportText(report));
      const errors = errorCount(report);
      if (errors > 0) throw new MdetrError(errors === 1 ? '1 error' : `${formatCount(errors)} errors`);
    });

/** One bar after the other: each file's index, rows and images. */
class StepBars {
  private name = '';
  private done = 0;
  private bar: Progress | undefined;
  private readonly index = new MegabyteProgress('annotations');

  show(name: string, done: number, total: number): void {
    if (name !== this.name) {
      this.stop();
      this.name = name;
      this.bar = new Progress(name, total, { resultsComeLast: true });
    }
    this.bar?.advance(done - this.done);
    this.done = done;
  }

  indexing(done: number, total: number): void {
    this.bar?.stop();
    this.index.show(done, total);
  }

  stop(): void {
    this.index.stop();
    this.bar?.stop();
    this.bar = undefined;
    this.done = 0;
  }
}

const errorCount = ({ files, shared }: CheckReport): number =>
  [...files.flatMap(({ findings }) => findings), ...shared]
    .filter(({ severity }) => severity === 'error')
    .reduce((sum, { count }) => sum + count, 0);

const reportText = ({ files, shared }: CheckReport): string =>
  [...files.map(fileText), ...(shared.length > 0 ? [`shared images\n${findingsText(shared)}`] : [])].join('\n');

const fileText = (file: FileReport): string => {
  const counts = [
    ['rows', `${formatCount(file.rows)} (${formatCount(file.usableRows)} usable)`],
    ['images', formatCount(file.images)],
    ['boxes', `${formatCount(file.annotations)} (${file.boxesPerRow.toFixed(2)} per row)`],
    ['longest caption', `${formatCount(file.longestCaption)} characters`],
    ...Object.entries(file.datasets).map(([name, count]) => [`dataset_name ${name}`, `${formatCount(count)} rows`]),
  ];
  const findings = file.findings.length > 0 ? findingsText(file.findings) : '  nothing to complain about\n';
  return `${file.file}\n${formatTable([{ title: '' }, { title: '' }], counts, '  ')}${findings}`;
};

const findingsText = (findings: readonly Finding[]): string =>
  findings
    .map(({ severity, what, count, examples }) => {
      const more = count > examples.length ? `      … ${formatCount(count - examples.length)} more\n` : '';
      return `  ${severity}: ${what}: ${formatCount(count)}\n${examples.map((place) => `      ${place}\n`).join('')}${more}`;
    })
    .join('');
