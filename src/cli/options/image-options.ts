import type { Command } from 'commander';
import type { Orientation } from '../../data/images/orientation.ts';
import type { InferenceOptions } from '../../inference/options.ts';
import { DEFAULT_SPAN_THRESHOLD, DEFAULT_THRESHOLD } from '../../postprocess/thresholds.ts';
import { fraction, millions } from './option-values.ts';
import { imageOrientationOption } from './orientation-option.ts';

/** Options of every command that runs a model on images. */
export interface ImageOptions {
  readonly threshold?: number;
  readonly spanThreshold?: number;
  readonly presence?: number;
  readonly nms?: number;
  readonly masks?: boolean;
  readonly polygons?: boolean;
  readonly masksDir?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly maxPixels?: number;
  readonly orientation?: Orientation;
  readonly truncate?: boolean;
  readonly recursive?: boolean;
  readonly allowUrls?: boolean;
  readonly allowPrivateUrls?: boolean;
  readonly skipBroken?: boolean;
}

/** Kinds of images that commands take, for their help. */
export const IMAGES_HELP = `Images: files (JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC, BMP), folders, quoted patterns ("photos/**/*.jpg"), - for an image
on standard input, @list.txt for a list with one of these in each line, data: and file: URLs, and with --allow-urls http(s)
URLs. A broken image ends the call, unless it comes from a folder, pattern or list, or --skip-broken is given: then it is
reported and counted. A caption may be @captions.txt, too: one in each line.`;

/** Adds the options of every command that runs a model on images. */
export const addImageOptions = (command: Command): Command =>
  command
    .option(
      '--threshold <p>',
      `score that a detection must exceed, between 0 and 1 (default: the model's calibrated value, else ${DEFAULT_THRESHOLD})`,
      fraction,
    )
    .option(
      '--span-threshold <p>',
      `minimum probability of a phrase, between 0 and 1 (default: ${DEFAULT_SPAN_THRESHOLD})`,
      fraction,
    )
    .option(
      '--presence <p>',
      "score above which a phrase counts as present in the image (default: the model's calibrated value)",
      fraction,
    )
    .option(
      '--nms <iou>',
      'suppress boxes that overlap a better one with the same label by more (default: off)',
      fraction,
    )
    .option('--masks', 'also predict masks; needs a model with the segmentation head')
    .option('--polygons', 'also print the outlines of the masks; implies --masks')
    .option('--masks-dir <dir>', 'write each mask as a PNG file into this folder; implies --masks')
    .option('--out <file>', 'write the image with the boxes drawn, as .png, .jpg or .webp')
    .option('--force, --overwrite', 'replace files in the folders and patterns of --out, --masks-dir and --results')
    .option('--json', 'print one JSON object per result and line')
    .option('--max-pixels <millions>', 'maximum pixels of an image, in millions (default: 50)', millions)
    .addOption(imageOrientationOption())
    .option('--truncate', 'truncate captions that are too long for the model instead of refusing them')
    .option('--recursive', 'look into the subfolders of folders')
    .option('--skip-broken', 'report and count broken images instead of stopping')
    .option('--allow-urls', 'fetch http(s) URLs, from public addresses only')
    .option('--allow-private-urls', 'fetch http(s) URLs, from this machine and private networks, too');

/** Whether any option asks for masks. */
export const wantsMasks = ({ masks, polygons, masksDir }: ImageOptions): boolean =>
  masks === true || polygons === true || masksDir !== undefined;

/** Maps command-line options to those of a model's calls. */
export const inferenceOptionsOf = (options: ImageOptions): InferenceOptions => ({
  threshold: options.threshold,
  spanThreshold: options.spanThreshold,
  presence: options.presence,
  nms: options.nms,
  masks: wantsMasks(options),
  polygons: options.polygons,
  truncation: options.truncate === true ? 'end' : 'error',
});
