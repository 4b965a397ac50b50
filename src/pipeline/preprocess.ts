import { collateImages, type ImageBatch } from '../data/collate.ts';
import { decodeImage, type DecodeOptions, type ImageSource } from '../data/image.ts';
import type { RawImage, Size } from '../data/raw-image.ts';
import { resizeBilinear, resizedSize } from '../data/resize.ts';
import type { Preprocessing } from './model-source.ts';

/** A picture as it came, and as the model sees it. */
export interface PreparedImage {
  readonly original: RawImage;
  readonly resized: RawImage;
}

/** Decodes a picture and brings it to the model's size. */
export const prepareImage = async (
  source: ImageSource,
  preprocessing: Preprocessing,
  options: DecodeOptions = {},
): Promise<PreparedImage> => {
  const original = await decodeImage(source, options);
  const [height, width] = resizedSize(
    [original.height, original.width],
    preprocessing.shortestEdge,
    preprocessing.longestEdge,
  );
  return { original, resized: resizeBilinear(original, width, height) };
};

/** Normalised, padded at the right and the bottom, with masks. */
export const batchImages = (images: readonly PreparedImage[]): ImageBatch =>
  collateImages(images.map(({ resized }) => resized));

export const sizeOfImage = ({ height, width }: RawImage): Size => [height, width];
