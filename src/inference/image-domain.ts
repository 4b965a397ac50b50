import { resizeBilinear } from '../data/transforms/resize.ts';
import type { RawImage } from '../data/images/raw-image.ts';

/** Maximum difference of color channels of a gray pixel, in levels of 255. */
const MAX_GRAY_CHROMA = 24;
/** Maximum difference to adjacent pixels of a plain area, in levels of green. */
const MAX_PLAIN_STEP = 10;
/** Minimum plain fractions of a scene, with a margin: the minima of 312 scenes were 0.64 and 0.99. */
const MIN_PLAIN = 0.55;
const MIN_PLAIN_TOP = 0.9;
const TOP_FRACTION = 1 / 8;

/**
 * Whether an image looks like a procedural scene (`mdetr scenes`): solids on a plain, gray ground that extends to the upper
 * edge. Photos with as much plain gray are rare; they are taken for scenes.
 */
export const looksLikeScene = ({ width, height, data }: RawImage): boolean => {
  const topRows = Math.max(2, Math.round(height * TOP_FRACTION));
  let [plain, plainTop] = [0, 0];
  for (let y = 1; y < height - 1; y++) {
    let plainRow = 0;
    for (let at = 3 * (y * width + 1), end = at + 3 * (width - 2); at < end; at += 3)
      if (isPlain(data, at, 3 * width)) plainRow++;
    plain += plainRow;
    if (y < topRows) plainTop += plainRow;
  }
  const columns = Math.max(0, width - 2);
  const all = columns * Math.max(0, height - 2);
  const allTop = columns * Math.max(0, Math.min(topRows, height - 1) - 1);
  return plain >= MIN_PLAIN * all && plainTop >= MIN_PLAIN_TOP * allTop;
};

/** Whether the pixel at an index of (H, W, 3) is gray and has about the level of the four around it. */
const isPlain = (data: Uint8Array, at: number, stride: number): boolean => {
  const green = data[at + 1]!;
  return (
    isNear(green, data[at - 2]!) &&
    isNear(green, data[at + 4]!) &&
    isNear(green, data[at + 1 - stride]!) &&
    isNear(green, data[at + 1 + stride]!) &&
    isGray(data[at]!, green, data[at + 2]!)
  );
};

const isNear = (a: number, b: number): boolean => a - b < MAX_PLAIN_STEP && b - a < MAX_PLAIN_STEP;

const isGray = (red: number, green: number, blue: number): boolean =>
  Math.max(red, green, blue) - Math.min(red, green, blue) < MAX_GRAY_CHROMA;

/** Side to which the longer side of an image is reduced before its kind is determined. */
const KIND_SIDE_PX = 144;
/** Levels of green of a scene's ground at both edges, and how much lighter the lower one is; of 1,000 scenes, with a margin. */
const TOP_LEVELS = [100, 190];
const BOTTOM_LEVELS = [165, 248];
const GROUND_SLOPES = [20, 125];
/** Maximum difference of the means of red and blue at the upper edge of a scene; a few levels. */
const MAX_TINT = 7;

/** An image at the size at which its kind was determined. */
export interface ReducedImage {
  readonly resized: RawImage;
  /** Whether it looks like a scene. */
  readonly isScene: boolean;
}

/** Reduced images of `kindOfDecodedImage`, for as long as their originals are alive. */
const reducedImages = new WeakMap<RawImage, ReducedImage>();

/** The reduced image that `kindOfDecodedImage` has kept. */
export const reducedImageOf = (image: RawImage): ReducedImage | undefined => reducedImages.get(image);

/**
 * `kindOfImage` of an image whose pixels do not change any more. Keeps the reduced image: mostly the model that is chosen needs
 * the same one.
 */
export const kindOfDecodedImage = (image: RawImage): ImageKind => {
  const reduced = reducedImage(image);
  reducedImages.set(image, reduced);
  return kindOf(reduced);
};

/** Kind of an image, for the choice of an embedded model. */
export type ImageKind = 'scene' | 'photograph';

/**
 * Kind of an image, for the choice of an embedded model. A scene's ground is gray without a tint and gets lighter towards the
 * lower edge, within narrow limits; the grounds of photographs of single objects do not.
 */
export const kindOfImage = (image: RawImage): ImageKind => kindOf(reducedImage(image));

const reducedImage = (image: RawImage): ReducedImage => {
  const factor = Math.min(1, KIND_SIDE_PX / Math.max(image.width, image.height));
  const sideOf = (side: number): number => Math.max(16, Math.round(side * factor));
  const resized = resizeBilinear(image, sideOf(image.width), sideOf(image.height));
  return { resized, isScene: looksLikeScene(resized) };
};

const kindOf = ({ resized, isScene }: ReducedImage): ImageKind => {
  if (!isScene) return 'photograph';
  const [top, bottom] = [edgeLevels(resized, 1), edgeLevels(resized, resized.height - 2)];
  const isWithin = (value: number, [low, high]: readonly number[]): boolean => value >= low! && value <= high!;
  const hasGround =
    isWithin(top.green, TOP_LEVELS) &&
    isWithin(bottom.green, BOTTOM_LEVELS) &&
    isWithin(bottom.green - top.green, GROUND_SLOPES) &&
    Math.abs(top.tint) <= MAX_TINT;
  return hasGround ? 'scene' : 'photograph';
};

/** Median of green, and red − blue on average, of a row of pixels. */
const edgeLevels = ({ width, data }: RawImage, row: number): { readonly green: number; readonly tint: number } => {
  const greens = new Uint8Array(width);
  let tint = 0;
  for (let x = 0, at = 3 * row * width; x < width; x++, at += 3) {
    greens[x] = data[at + 1]!;
    tint += data[at]! - data[at + 2]!;
  }
  return { green: greens.sort()[width >> 1]!, tint: tint / width };
};

/** Warning about expressions for a model of photographs, whose measured precision is below what it was made for. */
export const EXPRESSIONS_WARNING =
  'this model is made for nouns and captions: of expressions that tell objects of one kind apart ("the dog on the left") it gets ' +
  'about three of four right (its README.md has the numbers)';

/** Warning about an image of a kind that the model was not made for. */
export const notASceneWarning = (name: string): string =>
  `${name} does not look like a procedural scene, and this model knows nothing else: its boxes and answers mean nothing here. ` +
  'For photos take --model photos, or a published checkpoint: mdetr pull pretrained_resnet101, then --model pretrained_resnet101';
