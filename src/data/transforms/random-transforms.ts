import type { FlipMode } from './caption-flip.ts';
import type { Random } from '../../random/random.ts';
import type { Region, Size } from '../../geometry/size.ts';
import { boxesWithArea, type Sample } from '../format/target.ts';
import { cropBoxesXyxy, cropSample, flipSample, resizeSample } from './transforms.ts';

/** A step of augmentation. */
export type Transform = (sample: Sample, random: Random) => Sample;

/** Applies the steps one after the other. */
export const compose =
  (...steps: readonly Transform[]): Transform =>
  (sample, random) =>
    steps.reduce((current, step) => step(current, random), sample);

/** Applies `first` with probability `p`, else `second`. */
export const randomSelect =
  (first: Transform, second: Transform, p = 0.5): Transform =>
  (sample, random) =>
    (random.chance(p) ? first : second)(sample, random);

/** Flips image, boxes and caption with probability `p`. */
export const randomHorizontalFlip =
  (p = 0.5, mode: FlipMode = 'words'): Transform =>
  (sample, random) =>
    random.chance(p) ? flipSample(sample, mode) : sample;

/** Resizes so that the shorter side becomes one of `sizes`, chosen at random, and the longer is at most `maxSize`. */
export const randomResize =
  (sizes: readonly number[], maxSize?: number): Transform =>
  (sample, random) =>
    resizeSample(sample, sizes[random.integer(0, sizes.length - 1)]!, maxSize);

/** Sizes of the random crop. */
export interface RandomCropOptions {
  /** Try up to 100 crops until one keeps every box; otherwise the last one is used. */
  readonly keepAllBoxes: boolean;
}

/** Crops a region with sides between `minSize` and `maxSize` pixels; shorter sides of the image are kept. */
export const randomSizeCrop =
  (minSize: number, maxSize: number, { keepAllBoxes }: RandomCropOptions): Transform =>
  (sample, random) => {
    const { image, target } = sample;
    const next = (): Region => randomRegion([image.height, image.width], minSize, maxSize, random);
    let region = next();
    const count = target.boxesXyxy.length / 4;
    for (let tries = 1; tries < 100 && keepAllBoxes; tries++) {
      if (boxesWithArea(cropBoxesXyxy(target.boxesXyxy, region)).length === count) break;
      region = next();
    }
    return cropSample(sample, region);
  };

/**
 * Crops a region of the image's aspect whose sides have at least `minFraction` of the image's, and which contains all boxes
 * completely, so that every caption stays true.
 */
export const randomCropAroundBoxes =
  (minFraction: number): Transform =>
  (sample, random) => {
    const { image, target } = sample;
    const [left, top, right, bottom] = enclosingBox(target.boxesXyxy, [image.height, image.width]);
    const needed = Math.max((right - left) / image.width, (bottom - top) / image.height);
    const fraction = random.between(Math.min(1, Math.max(minFraction, needed)), 1);
    const [width, height] = [Math.ceil(fraction * image.width), Math.ceil(fraction * image.height)];
    /** First pixel of the region, which includes everything from `from` to `to`. */
    const start = (from: number, to: number, side: number, length: number): number =>
      random.integer(Math.max(0, Math.min(from, Math.ceil(to) - side)), Math.max(0, Math.min(from, length - side)));
    return cropSample(sample, {
      top: start(Math.floor(top), bottom, height, image.height),
      left: start(Math.floor(left), right, width, image.width),
      height,
      width,
    });
  };

/** The box around all boxes, clamped to the image; one point of the middle if there are none. */
const enclosingBox = (boxesXyxy: Float32Array, [height, width]: Size): [number, number, number, number] => {
  if (boxesXyxy.length === 0) return [width / 2, height / 2, width / 2, height / 2];
  const at = (corner: number): number[] => [...boxesXyxy].filter((_, i) => i % 4 === corner);
  return [
    Math.max(0, Math.min(...at(0))),
    Math.max(0, Math.min(...at(1))),
    Math.min(width, Math.max(...at(2))),
    Math.min(height, Math.max(...at(3))),
  ];
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
  /** Shorter sides in training, one of which is chosen at random. */
  readonly scales: readonly number[];
  /** Maximum of the longer side. */
  readonly maxSize: number;
  /** Shorter sides before a crop, one of which is chosen at random. */
  readonly scalesBeforeCrop: readonly number[];
  /** Range of the sides of a crop. */
  readonly cropSides: readonly [min: number, max: number];
  /** Shorter side in validation; undefined keeps the size of the image. */
  readonly validationScale: number | undefined;
}

/** Sizes for photos: all official datasets except CLEVR. */
export const PHOTO_SIZES: AugmentationSizes = {
  scales: [480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800],
  maxSize: 1333,
  scalesBeforeCrop: [400, 500, 600],
  cropSides: [384, 1333],
  validationScale: 800,
};

/** Sizes for CLEVR and CLEVR-Ref+, whose images have 480x320 pixels. */
export const CLEVR_SIZES: AugmentationSizes = {
  scales: [256, 288, 320, 352, 384],
  maxSize: 512,
  scalesBeforeCrop: [320, 352, 384],
  cropSides: [256, 512],
  validationScale: undefined,
};

/** Settings of the random transforms of training. */
export interface AugmentationOptions {
  /**
   * No horizontal flip, and crops that keep all boxes, because captions name sides and every box. True for every official
   * dataset with captions. Default true.
   */
  readonly cautious?: boolean;
}

/** Official training augmentation: resize, or (with probability 0.5) resize, crop and resize. */
export const trainTransform = (
  { scales, maxSize, scalesBeforeCrop, cropSides }: AugmentationSizes,
  { cautious = true }: AugmentationOptions = {},
): Transform => {
  const resize = randomResize(scales, maxSize);
  const crop = randomSizeCrop(...cropSides, { keepAllBoxes: cautious });
  const choice = randomSelect(resize, compose(randomResize(scalesBeforeCrop), crop, resize));
  return cautious ? choice : compose(randomHorizontalFlip(), choice);
};

/** Official validation transform: one fixed size, nothing random. */
export const validationTransform =
  ({ validationScale, maxSize }: AugmentationSizes): Transform =>
  (sample) =>
    validationScale === undefined ? sample : resizeSample(sample, validationScale, maxSize);
