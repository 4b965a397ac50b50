import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { Orientation } from '../../data/images/orientation.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import { MdetrError } from '../../errors.ts';
import type { InferenceOptions } from '../../inference/options.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { DEFAULT_SPAN_THRESHOLD, DEFAULT_THRESHOLD } from '../../postprocess/thresholds.ts';
import { packageVersion } from '../../files/package-folder.ts';
import type { ResultBase } from '../../results/types.ts';
import { fraction, millions } from './option-values.ts';
import { imageOrientationOption } from './orientation-option.ts';
import { note } from '../output/print.ts';

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
}

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
    .option('--force, --overwrite', 'replace files in the folders and patterns of --out and --masks-dir')
    .option('--json', 'print one JSON object per result and line')
    .option('--max-pixels <millions>', 'maximum pixels of an image, in millions (default: 50)', millions)
    .addOption(imageOrientationOption())
    .option('--truncate', 'truncate captions that are too long for the model instead of refusing them');

export const wantsMasks = ({ masks, polygons, masksDir }: ImageOptions): boolean =>
  masks === true || polygons === true || masksDir !== undefined;

export const inferenceOptionsOf = (options: ImageOptions): InferenceOptions => ({
  threshold: options.threshold,
  spanThreshold: options.spanThreshold,
  presence: options.presence,
  nms: options.nms,
  masks: wantsMasks(options),
  polygons: options.polygons,
  truncation: options.truncate === true ? 'end' : 'error',
});

/** Image in memory, as the model and the drawing read it. */
export interface DecodedImage {
  readonly path: string;
  readonly raw: RawImage;
  readonly decodeMs: number;
}

export const readImage = async (path: string, { maxPixels, orientation }: ImageOptions): Promise<DecodedImage> => {
  const started = performance.now();
  const raw = await decodeImage(path, { orientation, maxPixels });
  return { path, raw, decodeMs: performance.now() - started };
};

/** The result with the version of the package, and the time of decoding the image added to its preprocessing time. */
export const completed = <R extends ResultBase>(result: R, { decodeMs }: DecodedImage): R => ({
  ...result,
  packageVersion: packageVersion(),
  timing: { ...result.timing, preprocess: result.timing.preprocess + decodeMs },
});

/** Reads images one by one. With `skipBroken`, broken ones are reported and counted instead of rejecting. */
export class ImageReader {
  private broken = 0;
  private readonly options: ImageOptions & { readonly skipBroken?: boolean };

  constructor(options: ImageOptions & { readonly skipBroken?: boolean }) {
    this.options = options;
  }

  /** Images at these paths. @throws {MdetrError} naming the first broken image, unless `skipBroken` is set */
  async readAll(paths: readonly string[]): Promise<DecodedImage[]> {
    return this.each(paths, (path) => readImage(path, this.options));
  }

  /** Images of a size that the model accepts; the others count as broken. */
  async checkSizes(images: readonly DecodedImage[], model: Pick<MDETR, 'checkSize'>): Promise<DecodedImage[]> {
    return this.each(images, (image) => {
      model.checkSize(image.raw, image.path);
      return Promise.resolve(image);
    });
  }

  private async each<T>(items: readonly T[], take: (item: T) => Promise<DecodedImage>): Promise<DecodedImage[]> {
    const images: DecodedImage[] = [];
    for (const item of items) {
      try {
        images.push(await take(item));
      } catch (error) {
        if (this.options.skipBroken !== true || !(error instanceof MdetrError)) throw error;
        this.broken += 1;
        note(`skipped ${error.message}`);
      }
    }
    return images;
  }

  /** Prints how many images were skipped. @throws {MdetrError} if all were */
  finish(total: number): void {
    if (this.broken === 0) return;
    const summary = `${this.broken} of ${total} images were broken and skipped`;
    if (this.broken === total) throw new MdetrError(summary);
    note(summary);
  }
}
