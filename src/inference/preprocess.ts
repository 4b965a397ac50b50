import { collateImages, type ImageBatch } from '../data/sampling/collate.ts';
import { decodeImage } from '../data/images/node/decode-image.ts';
import { type DecodeOptions, type ImageSource } from '../data/images/image-source.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import type { Size } from '../geometry/size.ts';
import { resizeBilinear, resizedSize } from '../data/transforms/resize.ts';
import { MdetrError } from '../errors.ts';
import type { ModelSource, Preprocessing } from '../model-folder/node/model-source.ts';
import { looksLikeScene, notASceneWarning } from './image-domain.ts';

/** A picture as it came, and as the model sees it. */
export interface PreparedImage {
  readonly original: RawImage;
  readonly resized: RawImage;
  /** What speaks against trusting results for it. */
  readonly warnings: readonly string[];
}

/** Decodes a picture and brings it to the model's size. */
export const prepareImage = async (
  source: ImageSource,
  preprocessing: Preprocessing,
  options: DecodeOptions & { readonly madeFor?: ModelSource['madeFor'] } = {},
): Promise<PreparedImage> => {
  const original = await decodeImage(source, options);
  const name = options.name ?? (typeof source === 'string' ? source : 'image');
  const [height, width] = modelSizeOf(original, preprocessing, name);
  const resized = resizeBilinear(original, width, height);
  const isForeign = options.madeFor === 'scenes' && !looksLikeScene(resized);
  return { original, resized, warnings: isForeign ? [notASceneWarning(name)] : [] };
};

/** The size at which the model sees a picture. Throws `MdetrError`, which names it, when it is too narrow for any. */
export const modelSizeOf = (
  { height, width }: Pick<RawImage, 'height' | 'width'>,
  { shortestEdge, longestEdge }: Preprocessing,
  name: string,
): Size => {
  try {
    return resizedSize([height, width], shortestEdge, longestEdge);
  } catch (error) {
    throw error instanceof MdetrError ? new MdetrError(`${name}: ${error.message}`, { cause: error }) : error;
  }
};

/** Normalised, padded at the right and the bottom, with masks. */
export const batchImages = (images: readonly PreparedImage[]): ImageBatch =>
  collateImages(images.map(({ resized }) => resized));

export const sizeOfImage = ({ height, width }: RawImage): Size => [height, width];
