import { Option, type Command } from 'commander';
import type { ExportResultsOptions } from '../../datasets/export/export-results.ts';
import { exporters } from '../../datasets/export/exporters.ts';

/** Options of the commands that write results in the format of an annotation tool. */
export interface FormatOptions {
  readonly format?: string;
  readonly classes?: string;
  readonly maskFormat?: 'polygons' | 'rle';
  readonly annotations?: string;
  readonly imagePrefix?: string;
}

/** Adds the options that say how `--results` is written. */
export const addFormatOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--format <name>', 'format of --results (default: jsonl)').choices([
        'jsonl',
        ...exporters.map(({ name }) => name),
      ]),
    )
    .option(
      '--classes <file>',
      'class names, one in each line, that phrases are mapped to in --format; others are named',
    )
    .addOption(new Option('--mask-format <form>', 'masks in COCO files (default: rle)').choices(['polygons', 'rle']))
    .option('--annotations <file>', 'COCO file with the ids of images and categories, for --format coco-results')
    .option(
      '--image-prefix <text>',
      'text before image paths, for --format labelstudio (default: /data/local-files/?d=)',
    );

/** The options as `exportResults` calls them. */
export const exportOptionsOf = ({
  classes,
  maskFormat,
  annotations,
  imagePrefix,
}: FormatOptions): Pick<ExportResultsOptions, 'classes' | 'masks' | 'annotations' | 'imagePrefix'> => ({
  classes,
  masks: maskFormat,
  annotations,
  imagePrefix,
});
