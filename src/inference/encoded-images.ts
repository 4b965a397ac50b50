import type { Size } from '../geometry/size.ts';
import { MdetrError } from '../errors.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { ModelConfig } from '../models/index.ts';
import type { SessionOf } from '../engine/runtime/runtime.ts';
import type { ImageResults, InferencePrograms } from './programs.ts';
import { batchImages, type PreparedImage } from './preprocess.ts';

/** Images that went through the backbone together. */
export interface EncodedImages {
  readonly images: readonly PreparedImage[];
  /** Results of the image program, one row per image. */
  readonly features: ImageResults;
  /** Size of the padded batch. */
  readonly padded: Size;
  readonly preprocessMs: number;
  readonly modelMs: number;
}

/** Rows and columns that learned position tables have. */
const learnedPositions = 50;

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
    Math.max(height, width) > learnedPositions
  ) {
    throw new MdetrError(
      `this model has learned positions for ${learnedPositions} × ${learnedPositions} places, the image makes ${height} × ${width}: shrink it`,
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

/** The part of a batched value that belongs to one image or text: (B, …) → (1, …), sharing memory. */
export const rowOf = (value: HostTensor, row: number): HostTensor => {
  const length = value.shape.slice(1).reduce((product, size) => product * size, 1);
  return {
    ...value,
    shape: [1, ...value.shape.slice(1)],
    data: value.data.subarray(row * length, (row + 1) * length),
  } as HostTensor;
};
