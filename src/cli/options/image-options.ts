import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import { MdetrError } from '../../errors.ts';
import type { InferenceOptions } from '../../inference/options.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { Timing } from '../../results/types.ts';
import { fraction, millions } from './option-values.ts';
import { note } from '../output/progress.ts';

/** Options of every command that looks at pictures. */
export interface ImageOptions {
  readonly threshold?: number;
  readonly spanThreshold?: number;
  readonly masks?: boolean;
  readonly masksDir?: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly maxPixels?: number;
  readonly orient: boolean;
  readonly truncate?: boolean;
}

export const addImageOptions = (command: Command): Command =>
  command
    .option('--threshold <p>', 'boxes need a score above this (default: 0.7)', fraction)
    .option('--span-threshold <p>', 'phrases need at least this probability (default: 0.1)', fraction)
    .option('--masks', 'masks too, from a model that has the segmentation head')
    .option('--masks-dir <dir>', 'write each mask as a PNG into this folder (means --masks)')
    .option('--out <picture>', 'draw the result into this .png, .jpg or .webp')
    .option('--json', 'print one JSON object a line')
    .option('--max-pixels <millions>', 'refuse larger pictures (default: 50 million pixels)', millions)
    .option('--no-orient', 'ignore EXIF orientation, as the official code does')
    .option('--truncate', 'cut texts that are too long for the model instead of refusing them');

export const wantsMasks = ({ masks, masksDir }: ImageOptions): boolean => masks === true || masksDir !== undefined;

export const inferenceOptionsOf = (options: ImageOptions): InferenceOptions => ({
  threshold: options.threshold,
  spanThreshold: options.spanThreshold,
  masks: wantsMasks(options),
  truncation: options.truncate === true ? 'end' : 'error',
});

/** A picture in memory: it is looked at, and drawn upon. */
export interface Picture {
  readonly path: string;
  readonly raw: RawImage;
  readonly decodeMs: number;
}

export const readImage = async (path: string, { maxPixels, orient }: ImageOptions): Promise<Picture> => {
  const started = performance.now();
  const raw = await decodeImage(path, { orient, maxPixels });
  return { path, raw, decodeMs: performance.now() - started };
};

/** The result with the time of decoding, which happened before the model saw the picture. */
export const withDecoding = <R extends { readonly timing: Timing }>(result: R, { decodeMs }: Picture): R => ({
  ...result,
  timing: { ...result.timing, preprocess: result.timing.preprocess + decodeMs },
});

/** Reads pictures one by one; broken ones are reported and counted instead of ending the work when told so. */
export class ImageReader {
  private broken = 0;
  private readonly options: ImageOptions & { readonly skipBroken?: boolean };

  constructor(options: ImageOptions & { readonly skipBroken?: boolean }) {
    this.options = options;
  }

  /** Throws `MdetrError`, which names the picture, for a broken one that is not to be skipped. */
  async readAll(paths: readonly string[]): Promise<Picture[]> {
    return this.each(paths, (path) => readImage(path, this.options));
  }

  /** The pictures that the model can look at; the others count as broken. */
  async fitting(images: readonly Picture[], model: Pick<MDETR, 'checkSize'>): Promise<Picture[]> {
    return this.each(images, (image) => {
      model.checkSize(image.raw, image.path);
      return Promise.resolve(image);
    });
  }

  private async each<T>(items: readonly T[], take: (item: T) => Promise<Picture>): Promise<Picture[]> {
    const images: Picture[] = [];
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

  /** Says how many pictures were skipped. Throws when none was left. */
  finish(total: number): void {
    if (this.broken === 0) return;
    const summary = `${this.broken} of ${total} pictures were broken and skipped`;
    if (this.broken === total) throw new MdetrError(summary);
    note(summary);
  }
}
