import { Command, InvalidArgumentError } from 'commander';
import type { Orientation } from '../../../data/images/orientation.ts';
import { AnnotatedImages } from '../../../data/images/node/annotated-images.ts';
import { ImageRoots, splitSource } from '../../../data/images/node/image-roots.ts';
import { AnnotationIndex } from '../../../data/annotation-index/annotation-index.ts';
import { RowReader } from '../../../data/annotation-index/row-reader.ts';
import { galleryPage, type GallerySample } from '../../../datasets/inspect/gallery.ts';
import { Random } from '../../../random/random.ts';
import { UsageError } from '../../../errors.ts';
import { replaceFile } from '../../../files/atomic-file.ts';
import { OutputRule } from '../../../files/output-rule.ts';
import { collectCaptions, integerFrom } from '../../options/option-values.ts';
import { rowOrientationOption } from '../../options/orientation-option.ts';
import { note, print } from '../../output/print.ts';

const HELP = `
The page is a self-contained file without links or scripts. The words of a box have its color; where phrases overlap, the
shortest one is highlighted and the others are underlined.

Examples
  mdetr data show train.json --images photos --out gallery.html
  mdetr data show mixed.json --images coco=train2014 --images vg=VG_100K --rows 0,17,5000 --out rows.html`;

interface ShowCliOptions {
  readonly images: readonly string[];
  readonly out: string;
  readonly count: number;
  readonly seed: number;
  readonly rows?: readonly number[];
  readonly captions: boolean;
  readonly orientation?: Orientation;
}

const rowList = (text: string): number[] =>
  text.split(',').map((part) => {
    if (!/^\s*\d+\s*$/.test(part))
      throw new InvalidArgumentError('It must be a comma-separated list of row indices, starting at 0.');
    return Number(part);
  });

/** `mdetr data show`: writes a page of samples. */
export const showCommand = (): Command =>
  new Command('show')
    .description('Write an HTML page of samples: images, boxes, and captions in the colors of their boxes.')
    .argument('<file>', 'annotation file')
    .requiredOption('--images <dir>', 'folder of the images, or SOURCE=DIR for each data_source', collectCaptions)
    .requiredOption('--out <file>', 'HTML page to write')
    .option('--count <n>', 'number of random rows', integerFrom(1), 24)
    .option('--seed <s>', 'seed of the random rows', integerFrom(0), 0)
    .option('--rows <list>', 'indices of the rows to show instead, such as 0,17,5000', rowList)
    .option('--no-captions', 'the rows have no captions (plain COCO, LVIS)')
    .addOption(rowOrientationOption())
    .addHelpText('after', HELP)
    .action(async (file: string, { images, out, count, seed, rows, captions, orientation }: ShowCliOptions) => {
      const annotated = new AnnotatedImages(ImageRoots.parse(images), orientation);
      annotated.roots.requireFolders();
      new OutputRule({ inputs: [file], imageFolders: images.map((text) => splitSource(text).path) }).named(
        out,
        `--out ${out}`,
      );
      const index = AnnotationIndex.open(file);
      const samples: GallerySample[] = [];
      const reader = new RowReader(index, { onBadRow: 'skip', captions: captions ? 'required' : 'optional' });
      try {
        const invalid = rows?.find((row) => row >= index.length);
        if (invalid !== undefined) throw new UsageError(`--rows ${invalid}: ${file} has rows 0 to ${index.length - 1}`);
        for (const row of rows ?? Random.of(seed, 'rows').permutation(index.length)) {
          if (samples.length === (rows?.length ?? count)) break;
          const content = reader.read(row);
          if (content !== undefined) samples.push({ file, row, content });
        }
      } finally {
        index.close();
      }
      const page = await galleryPage(samples, {
        title: `${file}: ${samples.length} of ${index.length} rows`,
        images: annotated,
      });
      // The images are known by now.
      const shown = samples.map(({ content }) => annotated.roots.pathOf(content.image));
      new OutputRule({ inputs: shown }).named(out, `--out ${out}`);
      await replaceFile(out, page);
      annotated.warnings.forEach(note);
      const skipped = reader.counts.skipped > 0 ? `, ${reader.counts.skipped} invalid ones skipped` : '';
      print(`${out}: ${samples.length} rows${skipped}\n`);
    });
