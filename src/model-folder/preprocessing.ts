import { IMAGENET_MEAN, IMAGENET_STD } from '../data/sampling/collate.ts';
import { MdetrError } from '../errors.ts';
import type { ModelConfig } from '../models/index.ts';

/** Resizing of images for a model, as in Hugging Face's `preprocessor_config.json`. */
export interface Preprocessing {
  /** Length of the shorter side in pixels. */
  readonly shortestEdge: number;
  /** Maximum length of the longer side in pixels, which takes precedence. */
  readonly longestEdge: number;
  /** Images are squeezed to a square of `shortestEdge` pixels, whatever their aspect; `longestEdge` is the same. */
  readonly isSquare?: boolean | undefined;
}

/** The official validation transform. */
const OFFICIAL_PREPROCESSING: Preprocessing = { shortestEdge: 800, longestEdge: 1333 };

/** Size of CLEVR's images, which the official code does not resize. */
const CLEVR_PREPROCESSING: Preprocessing = { shortestEdge: 320, longestEdge: 480 };

/** The official preprocessing for the datasets that a model was trained on. */
export const usualPreprocessing = ({ combine_datasets: datasets }: ModelConfig): Preprocessing =>
  datasets.length > 0 && datasets.every((name) => name.startsWith('clevr'))
    ? CLEVR_PREPROCESSING
    : OFFICIAL_PREPROCESSING;

const MIN_SIDE_PX = 16;
const MAX_SIDE_PX = 4096;

/** Pillow's number of bilinear interpolation. */
const BILINEAR = 2;

/**
 * Parses the contents of a `preprocessor_config.json`, in the layouts of all versions of the Hugging Face hub: `size` as
 * `{shortest_edge, longest_edge}`, or as a number beside `max_size`.
 *
 * @throws {MdetrError} naming `where` if a size is missing or not an integer from 16 to 4096, or if the file asks for
 * another normalization or interpolation than the one of MDETR
 */
export const parsePreprocessing = (json: unknown, where: string): Preprocessing => {
  const size = fieldOf(json, 'size');
  const [height, width] = [fieldOf(size, 'height'), fieldOf(size, 'width')];
  const isSquare = isSide(height) && height === width;
  const shortestEdge = isSquare ? height : (fieldOf(size, 'shortest_edge') ?? size);
  const longestEdge = isSquare ? height : (fieldOf(size, 'longest_edge') ?? fieldOf(json, 'max_size'));
  if (!isSide(shortestEdge) || !isSide(longestEdge))
    throw new MdetrError(
      `${where}: needs "size": {"shortest_edge", "longest_edge"}, equal "height" and "width", or "size" and "max_size", as integers of pixels from ` +
        `${MIN_SIDE_PX} to ${MAX_SIDE_PX}`,
    );
  for (const [name, isFollowed] of SETTINGS) {
    const value = fieldOf(json, name);
    if (value === undefined || value === null || isFollowed(value)) continue;
    const shown = JSON.stringify(value).slice(0, 100);
    throw new MdetrError(`${where}: "${name}" is ${shown}, but MDETR's images are prepared otherwise`);
  }
  return { shortestEdge, longestEdge, isSquare: isSquare ? true : undefined };
};

const isTrue = (value: unknown): boolean => value === true;

const isClose = (value: unknown, expected: readonly number[]): boolean =>
  Array.isArray(value) &&
  value.length === expected.length &&
  expected.every((number, i) => typeof value[i] === 'number' && Math.abs(value[i] - number) < 1e-3);

/** Settings of the file that must have the values that the image transform uses. */
const SETTINGS: readonly (readonly [name: string, isFollowed: (value: unknown) => boolean])[] = [
  ['do_resize', isTrue],
  ['do_normalize', isTrue],
  ['do_rescale', isTrue],
  ['rescale_factor', (value) => isClose([value], [1 / 255])],
  ['image_mean', (value) => isClose(value, IMAGENET_MEAN)],
  ['image_std', (value) => isClose(value, IMAGENET_STD)],
  ['resample', (value) => value === BILINEAR],
];

/** Contents of a `preprocessor_config.json`. */
export const preprocessingJson = ({ shortestEdge, longestEdge, isSquare }: Preprocessing): Record<string, unknown> => ({
  size:
    isSquare === true
      ? { height: shortestEdge, width: shortestEdge }
      : { shortest_edge: shortestEdge, longest_edge: longestEdge },
});

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const isSide = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= MIN_SIDE_PX && (value as number) <= MAX_SIDE_PX;
