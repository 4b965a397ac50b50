import { Command, InvalidArgumentError, Option } from 'commander';
import { combineFiles } from '../../../datasets/combine/combine-files.ts';
import { COMBINE_DEFAULTS } from '../../../datasets/combine/combine-captions.ts';
import { OutputRule } from '../../../files/output-rule.ts';
import type { OverlapMeasure } from '../../../geometry/box-overlap.ts';
import { readVisualGenomeImages } from '../../../datasets/combine/image-identity.ts';
import { splitSource } from '../../../data/images/node/image-roots.ts';
import type { OnBadRow } from '../../../data/annotation-index/row-reader.ts';
import { fraction, collectCaptions, integerFrom } from '../../options/option-values.ts';
import { Progress } from '../../output/progress.ts';
import { formatCount } from '../../output/table.ts';
import { print } from '../../output/print.ts';

const HELP = `
Inputs are annotation files in the official format with one caption per row, as "mdetr data prepare" writes them, given as
SOURCE=FILE, where SOURCE is the collection of the images (coco, vg; default: each row's data_source). All captions of an
image are combined into as few as possible, so that no two of the joined captions refer to the same object: captions are
vertices of a graph, connected where their boxes overlap, and the graph is colored greedily. Every caption is used exactly
once. The order is that of the official script.

--vg-images (Visual Genome's image_data.json) tells which images are in both Visual Genome and COCO. These are treated as
COCO images, and their boxes are rescaled to the size given by --coco-images (instances_train2014.json).

To avoid leakage, pass every validation and test split to --exclude as SOURCE=FILE: an annotation file, or a text file with
one image id or file name per line. The official splits are COCO's instances_val2014.json and the validation and test
splits of RefCOCO, RefCOCO+, RefCOCOg, PhraseCut and GQA.

Example
  mdetr data combine coco=refexp.json vg=gqa.json vg=regions.json --out final_mixed_train.json \\
    --vg-images image_data.json --coco-images instances_train2014.json \\
    --exclude coco=instances_val2014.json --exclude vg=gqa_unsafe.txt`;

interface CombineCliOptions {
  readonly out: string;
  readonly exclude: readonly string[];
  readonly vgImages?: string;
  readonly cocoImages?: string;
  readonly overlap: OverlapMeasure;
  readonly maxOverlap: number;
  readonly maxLength: number;
  readonly mergeBoxes: number;
  readonly seed?: number;
  readonly onBadRow: OnBadRow;
}

/** Parses an IoU in (0, 1], or `off`. */
const iouOrOff = (text: string): number => {
  if (text === 'off') return Infinity;
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1))
    throw new InvalidArgumentError('It must be off, or a number above 0 and up to 1.');
  return value;
};

/** `mdetr data combine`: combines datasets into the official mixture. */
export const combineCommand = (): Command =>
  new Command('combine')
    .description('Combine the captions of every image into as few as possible, like the official pre-training data.')
    .argument('<file...>', 'annotation files, as SOURCE=FILE if rows have no data_source')
    .requiredOption('--out <file>', 'annotation file to write')
    .option('--exclude <list>', 'list of images to leave out (repeatable)', collectCaptions, [])
    .option('--vg-images <file>', "Visual Genome's image_data.json")
    .option('--coco-images <file>', "COCO's instances_train2014.json")
    .addOption(
      new Option('--overlap <measure>', 'iou, like the official script, or giou, as in the paper')
        .choices(['iou', 'giou'])
        .default(COMBINE_DEFAULTS.overlap),
    )
    .option(
      '--max-overlap <fraction>',
      'captions whose boxes overlap by more are not joined',
      fraction,
      COMBINE_DEFAULTS.maxOverlap,
    )
    .option('--max-length <n>', 'maximum characters of a combined caption', integerFrom(1), COMBINE_DEFAULTS.maxLength)
    .option(
      '--merge-boxes <iou>',
      'boxes of one phrase with at least this IoU are merged; off disables it',
      iouOrOff,
      COMBINE_DEFAULTS.mergeBoxesAt,
    )
    .option('--seed <s>', 'shuffle the captions of every image first (default: file order)', integerFrom(0))
    .addOption(
      new Option('--on-bad-row <what>', 'what to do with invalid rows').choices(['stop', 'skip']).default('stop'),
    )
    .addHelpText('after', HELP)
    .action(async (files: string[], options: CombineCliOptions) => {
      const { out, exclude, vgImages, cocoImages, mergeBoxes, ...rules } = options;
      const sources = [...files, ...exclude].map((text) => splitSource(text).path);
      new OutputRule({ inputs: [...sources, vgImages, cocoImages] }).named(out, `--out ${out}`);
      let progress: Progress | undefined;
      const report = await combineFiles(files.map(splitSource), out, {
        ...rules,
        mergeBoxesAt: mergeBoxes,
        cocoImages,
        guards: exclude.map(splitSource),
        visualGenome: vgImages === undefined ? undefined : await readVisualGenomeImages(vgImages),
        onImages: (_, total) => {
          progress ??= new Progress('combining images', total, { resultsComeLast: true });
          progress.advance(1);
        },
      }).finally(() => progress?.stop());
      print(
        `${out}: ${formatCount(report.captionsIn)} captions of ${formatCount(report.images)} images ` +
          `combined into ${formatCount(report.captionsOut)}, with ${formatCount(report.annotationsOut)} boxes; ` +
          `left out: ${formatCount(report.guardedCaptions)} captions of ${formatCount(report.guardedImages)} excluded images, ` +
          `${formatCount(report.badRows)} invalid rows\n`,
      );
    });
