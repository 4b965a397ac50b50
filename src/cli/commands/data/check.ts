import { Command } from 'commander';
import type { Orientation } from '../../../data/images/orientation.ts';
import { ImageRoots } from '../../../data/images/node/image-roots.ts';
import { type CheckReport, checkDataset, type FileReport } from '../../../datasets/inspect/check-dataset.ts';
import type { Finding } from '../../../datasets/inspect/findings.ts';
import { MdetrError } from '../../../errors.ts';
import { loadTokenizer } from '../../../text/node/tokenizer-files.ts';
import { collectCaptions } from '../../options/option-values.ts';
import { rowOrientationOption } from '../../options/orientation-option.ts';
import { Progress } from '../../output/progress.ts';
import { formatCount, formatTable } from '../../output/table.ts';
import { MegabyteProgress } from './index-files.ts';
import { print } from '../../output/print.ts';

const HELP = `
What it checks
  invalid rows: missing or wrong fields, keys that occur twice, spans outside the caption, boxes that are not finite, file
  names that leave the image folder; broken masks, and missing ones (errors with --masks); boxes without area or outside
  the image; annotations of missing images, annotation ids that occur several times; captions with more tokens than the
  text encoder reads, or than boxes can refer to (with --tokenizer); images that are missing, broken or have another size
  (with --images); images that occur in several of the files, by name or by content

The exit status is 1 if there are errors.

Examples
  mdetr data check train.json val.json --images photos --tokenizer roberta-base
  mdetr data check mixed.json --images coco=train2014 --images vg=VG_100K --quick`;

interface CheckCliOptions {
  readonly images: readonly string[];
  readonly quick?: boolean;
  readonly captions: boolean;
  readonly masks?: boolean;
  readonly tokenizer?: string;
  readonly model?: string;
  readonly json?: boolean;
  readonly orientation?: Orientation;
}

/** `mdetr data check`: finds problems in annotation files and their images. */
export const checkCommand = (): Command =>
  new Command('check')
    .description('Print counts and all problems of annotation files and their images.')
    .argument('<file...>', 'annotation files; several files are splits that must share no image')
    .option('--images <dir>', 'folder of the images, or SOURCE=DIR for each data_source', collectCaptions, [])
    .option('--quick', 'read only the headers of the images instead of decoding them')
    .option('--no-captions', 'the rows have no captions (plain COCO, LVIS)')
    .option('--masks', 'every object must have a mask, as for training with mask losses')
    .option('--tokenizer <dir>', 'folder with tokenizer.json, or vocab.json and merges.txt, to count tokens')
    .option('--model <model>', 'name the words of the captions that this model has never seen in training')
    .addOption(rowOrientationOption())
    .option('--json', 'print one JSON object')
    .addHelpText('after', HELP)
    .action(
      async (
        files: string[],
        { images, quick, captions, masks, tokenizer, model, json, orientation }: CheckCliOptions,
      ) => {
        const progress = new StepProgress();
        const report = await checkDataset(files, {
          quick,
          orientation,
          captions: captions ? 'required' : 'optional',
          masks: masks === true ? 'required' : 'checked',
          roots: images.length > 0 ? ImageRoots.parse(images) : undefined,
          tokenizer: tokenizer === undefined ? undefined : await loadTokenizer(tokenizer),
          onStep: (file, what, done, total) => progress.show(`${file}: ${what}`, done, total),
          onProgress: (done, total) => progress.indexing(done, total),
        }).finally(() => progress.stop());
        const words = model === undefined ? undefined : await newWords(files, model);
        print(json === true ? `${JSON.stringify({ ...report, words })}\n` : reportText(report) + wordsText(words));
        const errors = errorCount(report);
        if (errors > 0) throw new MdetrError(errors === 1 ? '1 error' : `${formatCount(errors)} errors`);
      },
    );

/** Words of the captions that the model has never seen. */
interface NewWords {
  readonly model: string;
  /** Number of different words of the captions. */
  readonly count: number;
  /** Sorted; undefined if the model has no record of its words. */
  readonly unseen: readonly string[] | undefined;
}

const newWords = async (files: readonly string[], model: string): Promise<NewWords> => {
  const [{ knownWords }, { resolveModelPath }, { wordsOfFile }] = await Promise.all([
    import('../../../model-folder/node/known-words.ts'),
    import('../../../model-folder/node/model-files.ts'),
    import('../../../train/words/dataset-words.ts'),
  ]);
  const known = await knownWords(await resolveModelPath(model));
  const words = [...new Set(files.flatMap((file) => [...wordsOfFile(file)]))].sort();
  return { model, count: words.length, unseen: known && words.filter((word) => !known.has(word)) };
};

const wordsText = (words: NewWords | undefined): string => {
  if (words === undefined) return '';
  const { model, count, unseen } = words;
  if (unseen === undefined) return `\n${model} has no record of the words that it was trained on\n`;
  return unseen.length === 0
    ? `\nall ${formatCount(count)} words of the captions are known to ${model}\n`
    : `\n${formatCount(unseen.length)} of ${formatCount(count)} words are new to ${model}: ${unseen.join(', ')}\n` +
        '  training learns them (mdetr train --load)\n';
};

/** Progress bars of the steps of each file: index, rows and images. */
class StepProgress {
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
  const findings = file.findings.length > 0 ? findingsText(file.findings) : '  no problems found\n';
  return `${file.file}\n${formatTable([{ title: '' }, { title: '' }], counts, '  ')}${findings}`;
};

const findingsText = (findings: readonly Finding[]): string =>
  findings
    .map(({ severity, what, count, examples }) => {
      const more = count > examples.length ? `      … ${formatCount(count - examples.length)} more\n` : '';
      return `  ${severity}: ${what}: ${formatCount(count)}\n${examples.map((location) => `      ${location}\n`).join('')}${more}`;
    })
    .join('');
