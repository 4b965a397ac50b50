import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import { MdetrError } from '../../errors.ts';
import { packageVersion } from '../../files/package-folder.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { ResultBase } from '../../results/types.ts';
import type { ImageOptions } from '../options/image-options.ts';
import { note } from '../output/print.ts';
import type { ListedImage } from './image-list.ts';

// Every image is read once: results that libvips keeps would only take memory.
sharp.cache(false);

/** An image of the command line, with the paths of its drawings for each caption. */
export interface PlannedImage extends ListedImage {
  readonly drawings: readonly string[];
}

/** Image in memory, as the model and the drawing read it. */
export interface DecodedImage {
  readonly name: string;
  readonly raw: RawImage;
  readonly decodeMs: number;
  /** Paths of its drawings, for each caption. */
  readonly drawings: readonly string[];
}

const readImage = async ({ name, source, drawings }: PlannedImage, options: ImageOptions): Promise<DecodedImage> => {
  const { maxPixels, orientation, allowUrls, allowPrivateUrls } = options;
  const urls = allowPrivateUrls === true ? 'any' : allowUrls === true ? 'public' : 'refuse';
  const started = performance.now();
  const raw = await decodeImage(source, { name, orientation, maxPixels, urls });
  return { name, raw, decodeMs: performance.now() - started, drawings };
};

/** The result with the version of the package, and the time of decoding the image added to its preprocessing time. */
export const completed = <R extends ResultBase>(result: R, { decodeMs }: DecodedImage): R => ({
  ...result,
  packageVersion: packageVersion(),
  timing: { ...result.timing, preprocess: result.timing.preprocess + decodeMs },
});

/** Reads images. Broken ones of folders and lists are reported and counted instead of rejecting. */
export class ImageReader {
  private broken = 0;
  /** Ends when the broken images of all earlier calls are reported. */
  private reported: Promise<unknown> = Promise.resolve();

  /** @param isTolerant report and count broken images */
  constructor(
    private readonly options: ImageOptions,
    private readonly isTolerant: boolean,
  ) {}

  /** @throws {MdetrError} naming the first broken image, unless the reader is tolerant */
  async readAll(images: readonly PlannedImage[]): Promise<DecodedImage[]> {
    // All at once, on the threads of libvips; a failure is reported in the order of the images.
    const reading = images.map((image) => readImage(image, this.options));
    for (const image of reading) image.catch(() => undefined);
    const read = this.reported.then(() => this.each(reading, (image) => image));
    this.reported = read.catch(() => undefined);
    return read;
  }

  /** Images of a size that the model accepts; the others count as broken. */
  async checkSizes(images: readonly DecodedImage[], model: Pick<MDETR, 'checkSize'>): Promise<DecodedImage[]> {
    return this.each(images, (image) => {
      model.checkSize(image.raw, image.name);
      return Promise.resolve(image);
    });
  }

  private async each<T>(items: readonly T[], take: (item: T) => Promise<DecodedImage>): Promise<DecodedImage[]> {
    const images: DecodedImage[] = [];
    for (const item of items) {
      try {
        images.push(await take(item));
      } catch (error) {
        if (!this.isTolerant || !(error instanceof MdetrError)) throw error;
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
