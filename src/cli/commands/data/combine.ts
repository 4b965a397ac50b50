import { Command, InvalidArgumentError, Option } from 'commander';
import { combineFiles } from '../../../datasets/combine/combine-files.ts';
import { COMBINE_DEFAULTS } from '../../../datasets/combine/combine-texts.ts';
import type { OverlapMeasure } from '../../../geometry/box-overlap.ts';
import { readVisualGenomeImages } from '../../../datasets/combine/image-identity.ts';
import { splitSource } from '../../../data/images/image-roots.ts';
import type { OnBadRow } from '../../../data/annotation-index/row-reader.ts';
import { fraction, several, wholeFrom } from '../../options/option-values.ts';
import { Progress } from '../../output/progress.ts';
import { formatCount } from '../../output/table.ts';

const help = `
Inputs are official annotation files with one text per row, as "mdetr data prepare" writes them: SOURCE=FILE, where
SOURCE is the collection of the images (coco, vg; without it, each row's data_source). All texts of an image become as
few captions as possible, in which no two texts speak of the same object: texts are the vertices of a graph, joined where
their boxes overlap, coloured greedily. Every text is used exactly once, the order is that of the official script.

An image that is both in Visual Genome and COCO counts as COCO's when --vg-images (Visual Genome's image_data.json)
tells so; its boxes are rescaled, for which --coco-images (instances_train2014.json) tells the size.

Leakage: name every validation and test split with --exclude, as SOURCE=FILE: an annotation file, or a text file with a
number or file name per line. Officially: COCO's instances_val2014.json, RefCOCO, RefCOCO+ and RefCOCOg, PhraseCut and
GQA validation and test.

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

/** An IoU from 0 to 1, or `off`. */
const iouOrOff = (text: string): number => {
  if (text === 'off') return Infinity;
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1))
    throw new InvalidArgumentError('It must be off, or from 0 to 1.');
  return value;
};

/** `mdetr data combine`: the official mixture of several data sets. */
export const combineCommand = (): Command =>
  new Command('combine')
    .description(
      'Joins the texts of every image to as few captions as possible, as the official training data are made.',
    )
    .argument('<file...>', 'annotation files, each with SOURCE= before it where rows have no data_source')
    .requiredOption('--out <file>', 'the annotation file to write')
    .option('--exclude <list>', 'images that must not enter; give it once for every list', several, [])
    .option('--vg-images <file>', "Visual Genome's image_data.json")
    .option('--coco-images <file>', "COCO's instances_train2014.json")
    .addOption(
      new Option('--overlap <measure>', 'iou as the official script computes, giou as the paper says')
        .choices(['iou', 'giou'])
        .default(COMBINE_DEFAULTS.overlap),
    )
    .option(
      '--max-overlap <share>',
      'texts whose boxes overlap by more stay apart',
      fraction,
      COMBINE_DEFAULTS.maxOverlap,
    )
    .option('--max-length <n>', 'characters of a caption', wholeFrom(1), COMBINE_DEFAULTS.maxLength)
    .option(
      '--merge-boxes <iou>',
      'boxes of one phrase this near become one, or off',
      iouOrOff,
      COMBINE_DEFAULTS.mergeBoxesAt,
    )
    .option('--seed <s>', 'shuffle the texts of every image first (default: as in the files)', wholeFrom(0))
    .addOption(new Option('--on-bad-row <what>', 'rows that cannot be used').choices(['stop', 'skip']).default('stop'))
    .addHelpText('after', help)
    .action(async (files: string[], options: CombineCliOptions) => {
      const { out, exclude, vgImages, cocoImages, mergeBoxes, ...rules } = options;
      let progress: Progress | undefined;
      const report = await combineFiles(files.map(splitSource), out, {
        ...rules,
        mergeBoxesAt: mergeBoxes,
        cocoImages,
        guards: exclude.map(splitSource),
        ...(vgImages !== undefined && { visualGenome: await readVisualGenomeImages(vgImages) }),
        onImages: (_, total) => {
          progress ??= new Progress('combining images', total, { resultsComeLast: true });
          progress.advance(1);
        },
      }).finally(() => progress?.stop());
      process.stdout.write(
        `${out}: ${formatCount(report.textsIn)} texts of ${formatCount(report.images)} images ` +
          `in ${formatCount(report.sentencesOut)} captions with ${formatCount(report.annotationsOut)} boxes; ` +
          `left out: ${formatCount(report.guardedTexts)} texts of ${formatCount(report.guardedImages)} excluded images, ` +
          `${formatCount(report.badRows)} bad rows\n`,
      );
    });
