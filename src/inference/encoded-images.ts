import type { Size } from '../geometry/size.ts';
import { MdetrError } from '../errors.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { ModelConfig } from '../models/index.ts';
import type { SessionOf } from '../engine/runtime/runtime.ts';
import type { ImageResults, InferencePrograms } from './programs.ts';
import { batchImages, type PreparedImage } from './preprocess.ts';

/** Outputs of the image program for a batch of images. */
export interface EncodedImages {
  readonly images: readonly PreparedImage[];
  /** Outputs of the image program, batch size first. */
  readonly features: ImageResults;
  /** Height and width in pixels of the padded batch. */
  readonly padded: Size;
  readonly preprocessMs: number;
  readonly modelMs: number;
}

/** Number of rows and of columns of the learned position embeddings. */
const LEARNED_POSITIONS = 50;

/**
 * Pads images to a common size and runs the image program on them.
 *
 * @throws {MdetrError} if a feature map is larger than the learned position embeddings of the model
 */
export const encodeImages = async (
  session: SessionOf<InferencePrograms['image']>,
  config: ModelConfig,
  images: readonly PreparedImage[],
  preprocessMs: number,
): Promise<EncodedImages> => {
  const started = performance.now();
  const batch = batchImages(images);
  const collated = performance.now();
  const features = await session.run({
    image: { dtype: 'float32', shape: [batch.batch, 3, batch.height, batch.width], data: batch.tensors },
    padding: { dtype: 'bool', shape: [batch.batch, batch.height, batch.width], data: batch.mask },
  });
  const [, , height = 0, width = 0] = features.src.shape;
  if (
    (config.position_embedding === 'learned' || config.position_embedding === 'v3') &&
    Math.max(height, width) > LEARNED_POSITIONS
  ) {
    throw new MdetrError(
      `this model has position embeddings for feature maps up to ${LEARNED_POSITIONS} × ${LEARNED_POSITIONS}, but the image has ${height} × ${width}; use a smaller image`,
    );
  }
  return {
    images,
    features,
    padded: [batch.height, batch.width],
    preprocessMs: preprocessMs + collated - started,
    modelMs: performance.now() - collated,
  };
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
