import type { FlipMode } from './caption-flip.ts';
import type { Random } from '../../random/random.ts';
import type { Region, Size } from '../../geometry/size.ts';
import { boxesWithArea, type Sample } from '../format/target.ts';
import { cropBoxesXyxy, cropSample, flipSample, resizeSample } from './transforms.ts';

/** One step of augmentation. */
export type Transform = (sample: Sample, random: Random) => Sample;

export const compose =
  (...steps: readonly Transform[]): Transform =>
  (sample, random) =>
    steps.reduce((current, step) => step(current, random), sample);

/** One or the other, the first with probability `p`. */
export const randomSelect =
  (first: Transform, second: Transform, p = 0.5): Transform =>
  (sample, random) =>
    (random.chance(p) ? first : second)(sample, random);

export const randomHorizontalFlip =
  (p = 0.5, mode: FlipMode = 'words'): Transform =>
  (sample, random) =>
    random.chance(p) ? flipSample(sample, mode) : sample;

/** The shorter side becomes one of `sizes`. */
export const randomResize =
  (sizes: readonly number[], maxSize?: number): Transform =>
  (sample, random) =>
    resizeSample(sample, sizes[random.integer(0, sizes.length - 1)]!, maxSize);

export interface RandomCropOptions {
  /** Look for a crop that keeps every box; when 100 tries find none, the last one is taken all the same. */
  readonly keepAllBoxes: boolean;
}

/** Cuts out a region whose sides are between `minSize` and `maxSize` pixels, or the whole side where it is shorter. */
export const randomSizeCrop =
  (minSize: number, maxSize: number, { keepAllBoxes }: RandomCropOptions): Transform =>
  (sample, random) => {
    const { image, target } = sample;
    const draw = (): Region => randomRegion([image.height, image.width], minSize, maxSize, random);
    let region = draw();
    const count = target.boxesXyxy.length / 4;
    for (let tries = 1; tries < 100 && keepAllBoxes; tries++) {
      if (boxesWithArea(cropBoxesXyxy(target.boxesXyxy, region)).length === count) break;
      region = draw();
    }
    return cropSample(sample, region);
  };

const randomRegion = ([imageHeight, imageWidth]: Size, minSize: number, maxSize: number, random: Random): Region => {
  const side = (length: number): number => random.integer(Math.min(minSize, length), Math.min(maxSize, length));
  const width = side(imageWidth);
  const height = side(imageHeight);
  return {
    top: random.integer(0, imageHeight - height),
    left: random.integer(0, imageWidth - width),
    height,
    width,
  };
};

/** Sizes of the official augmentation, in pixels. */
export interface AugmentationSizes {
  /** Shorter sides to choose from in training. */
  readonly scales: readonly number[];
  /** Most pixels on the longer side. */
  readonly maxSize: number;
  /** Shorter sides to choose from before a crop. */
  readonly scalesBeforeCrop: readonly number[];
  /** Sides of the crop, from … to …. */
  readonly cropSides: readonly [min: number, max: number];
  /** Shorter side in validation; undefined leaves the image as it is. */
  readonly validationScale: number | undefined;
}

/** Photos: every official data set but CLEVR. */
export const photoSizes: AugmentationSizes = {
  scales: [480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800],
  maxSize: 1333,
  scalesBeforeCrop: [400, 500, 600],
  cropSides: [384, 1333],
  validationScale: 800,
};

/** CLEVR and CLEVR-Ref+, whose images have 480x320 pixels. */
export const clevrSizes: AugmentationSizes = {
  scales: [256, 288, 320, 352, 384],
  maxSize: 512,
  scalesBeforeCrop: [320, 352, 384],
  cropSides: [256, 512],
  validationScale: undefined,
};

export interface AugmentationOptions {
  /**
   * Captions name sides and every box: no flip, and crops that keep all boxes. True for every official data set with
   * captions.
   */
  readonly cautious?: boolean;
}

/** The official training augmentation: resize, or (in half of the cases) resize, crop and resize. */
export const trainTransform = (
  { scales, maxSize, scalesBeforeCrop, cropSides }: AugmentationSizes,
  { cautious = true }: AugmentationOptions = {},
): Transform => {
  const resize = randomResize(scales, maxSize);
  const crop = randomSizeCrop(...cropSides, { keepAllBoxes: cautious });
  const choice = randomSelect(resize, compose(randomResize(scalesBeforeCrop), crop, resize));
  return cautious ? choice : compose(randomHorizontalFlip(), choice);
};

/** The official validation transform: one fixed size, nothing random. */
export const validationTransform =
  ({ validationScale, maxSize }: AugmentationSizes): Transform =>
  (sample) =>
    validationScale === undefined ? sample : resizeSample(sample, validationScale, maxSize);
