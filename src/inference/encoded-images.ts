import type { Size } from '../geometry/size.ts';
import { MdetrError } from '../errors.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { ModelConfig } from '../models/index.ts';
import type { SessionOf } from '../engine/runtime/runtime.ts';
import type { ImageResults, InferencePrograms } from './programs.ts';
import { batchImages, type PreparedImage } from './preprocess.ts';

/** Images that went through the image program together. */
export interface ImageGroup {
  /** Outputs of the image program, batch size first. */
  readonly features: ImageResults;
  /** Height and width in pixels of the padded batch. */
  readonly padded: Size;
}

/** Images with the outputs of the image program, in groups. */
export interface EncodedImages {
  readonly images: readonly PreparedImage[];
  readonly groups: readonly ImageGroup[];
  /** Group of every image, and the image's index in the batch of that group. */
  readonly locations: readonly { readonly group: number; readonly index: number }[];
  readonly preprocessMs: number;
  readonly modelMs: number;
}

/** Number of rows and of columns of the learned position embeddings. */
const LEARNED_POSITIONS = 50;

/**
 * Runs the image program on images, one run for all of the same size. Images of different sizes are never padded to a
 * common one, because padding changes what the network sees: the detections of an image would depend on its company.
 *
 * @param isPadded pads all images to one batch nevertheless, as the official evaluation does
 * @throws {MdetrError} if a feature map is larger than the learned position embeddings of the model
 */
export const encodeImages = async (
  session: SessionOf<InferencePrograms['image']>,
  config: ModelConfig,
  images: readonly PreparedImage[],
  {
    preprocessMs,
    isPadded,
    signal,
  }: { readonly preprocessMs: number; readonly isPadded: boolean; readonly signal: AbortSignal | undefined },
): Promise<EncodedImages> => {
  const members = new Map<string, number[]>();
  const locations = images.map(({ resized }, image) => {
    const key = isPadded ? '' : `${resized.width}x${resized.height}`;
    const own = members.get(key) ?? [];
    members.set(key, own);
    return { group: [...members.keys()].indexOf(key), index: own.push(image) - 1 };
  });
  const groups: ImageGroup[] = [];
  let [collateMs, modelMs] = [0, 0];
  for (const group of members.values()) {
    signal?.throwIfAborted();
    const started = performance.now();
    const batch = batchImages(group.map((image) => images[image]!));
    const collated = performance.now();
    const features = await session.run({
      image: { dtype: 'float32', shape: [batch.batch, 3, batch.height, batch.width], data: batch.tensors },
      padding: { dtype: 'bool', shape: [batch.batch, batch.height, batch.width], data: batch.mask },
    });
    requirePositions(config, features);
    groups.push({ features, padded: [batch.height, batch.width] });
    collateMs += collated - started;
    modelMs += performance.now() - collated;
  }
  return { images, groups, locations, preprocessMs: preprocessMs + collateMs, modelMs };
};

const requirePositions = (config: ModelConfig, features: ImageResults): void => {
  const [, , height = 0, width = 0] = features.src.shape;
  if (
    (config.position_embedding === 'learned' || config.position_embedding === 'v3') &&
    Math.max(height, width) > LEARNED_POSITIONS
  )
    throw new MdetrError(
      `this model has position embeddings for feature maps up to ${LEARNED_POSITIONS} × ${LEARNED_POSITIONS}, but the image has ${height} × ${width}; use a smaller image`,
    );
};

/** Slice of a batched value for one image or caption: (B, ...) -> (1, ...), without a copy. */
export const batchItem = (value: HostTensor, index: number): HostTensor => {
  const length = value.shape.slice(1).reduce((product, size) => product * size, 1);
  return {
    ...value,
    shape: [1, ...value.shape.slice(1)],
    data: value.data.subarray(index * length, (index + 1) * length),
  } as HostTensor;
};
