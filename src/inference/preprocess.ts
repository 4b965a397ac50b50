import { collateInto, type AllocateBytes, type ImageBatch } from '../data/sampling/collate.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import type { Size } from '../geometry/size.ts';
import { resizeBilinear, resizedSize } from '../data/transforms/resize.ts';
import { MdetrError } from '../errors.ts';
import type { ModelSource } from '../model-folder/model-source.ts';
import type { Preprocessing } from '../model-folder/preprocessing.ts';
import { looksLikeScene, notASceneWarning, reducedImageOf } from './image-domain.ts';

/** A decoded image, and the same image at the model's size. */
export interface PreparedImage {
  /** Name of the image in results. */
  readonly name: string;
  readonly original: RawImage;
  readonly resized: RawImage;
  /** Warnings about the image, for its results. */
  readonly warnings: readonly string[];
}

/** Images that were resized before their model was ready, by their originals. */
const resizedAhead = new WeakMap<RawImage, RawImage>();

/**
 * Resizes a decoded image whose pixels do not change any more, for a later `prepareImage`. Errors are left to that call.
 */
export const resizeAhead = (original: RawImage, preprocessing: Preprocessing): void => {
  try {
    resizedAhead.set(original, prepareImage(original, preprocessing).resized);
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
  }
};

/** Image that was resized to this size before. */
const takeResized = (original: RawImage, width: number, height: number): RawImage | undefined => {
  const ahead = resizedAhead.get(original);
  resizedAhead.delete(original);
  return ahead?.width === width && ahead.height === height ? ahead : undefined;
};

/** Resizes a decoded image to the model's size. */
export const prepareImage = (
  original: RawImage,
  preprocessing: Preprocessing,
  options: { readonly name?: string | undefined; readonly madeFor?: ModelSource['madeFor'] } = {},
): PreparedImage => {
  const name = options.name ?? 'image';
  const [height, width] = modelSizeOf(original, preprocessing, name);
  const reduced = reducedImageOf(original);
  const known = reduced?.resized.width === width && reduced.resized.height === height ? reduced : undefined;
  const resized = known?.resized ?? takeResized(original, width, height) ?? resizeBilinear(original, width, height);
  const isForeign = options.madeFor === 'scenes' && !(known?.isScene ?? looksLikeScene(resized));
  return { name, original, resized, warnings: isForeign ? [notASceneWarning(name)] : [] };
};

/**
 * (height, width) at which the model sees an image.
 *
 * @throws {MdetrError} if the image is too narrow to be resized; the message names it
 */
export const modelSizeOf = (
  { height, width }: Pick<RawImage, 'height' | 'width'>,
  { shortestEdge, longestEdge, isSquare }: Preprocessing,
  name: string,
): Size => {
  if (isSquare === true) return [shortestEdge, shortestEdge];
  try {
    return resizedSize([height, width], shortestEdge, longestEdge);
  } catch (error) {
    throw error instanceof MdetrError ? new MdetrError(`${name}: ${error.message}`, { cause: error }) : error;
  }
};

/** Normalizes images and pads them at the right and the bottom to the largest: (B, 3, H, W) with (B, H, W) masks. */
export const batchImages = (images: readonly PreparedImage[], allocate?: AllocateBytes): ImageBatch =>
  collateInto(
    images.map(({ resized }) => resized),
    allocate,
  );

/** Size of an image as (height, width). */
export const sizeOfImage = ({ height, width }: Pick<RawImage, 'height' | 'width'>): Size => [height, width];
