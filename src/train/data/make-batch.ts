import { MdetrError, quoted } from '../../errors.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import { collateImages } from '../../data/sampling/collate.ts';
import { joinTargets, type LossConfig } from '../../losses/index.ts';
import { padEncodings } from '../../text/index.ts';
import { auxiliaryInputs } from '../auxiliary/auxiliary-losses.ts';
import type { ImageSample } from './sample-source.ts';
import type { TrainBatch } from './train-batch.ts';
import type { AuxiliaryConfig, OptimizerSettings } from '../config/run-settings.ts';

/**
 * Joins images and their captions into a batch: images padded to the largest height and width, captions to the longest.
 *
 * @param padId id of the tokenizer's padding token
 * @throws {MdetrError} naming the sample that lacks what the config trains on
 */
export const makeBatch = (
  samples: readonly ImageSample[],
  padId: number,
  config: LossConfig & AuxiliaryConfig & OptimizerSettings,
): TrainBatch => {
  const captions = samples.flatMap((sample) => sample.captions);
  const imageOfCaption = samples.flatMap((sample, image) => sample.captions.map(() => image));
  const { inputIds, attentionMask, encodings, B, T } = padEncodings(
    captions.map(({ encoding }) => encoding),
    padId,
  );
  const { inputs: imageInputs, size } = isPrecomputed(samples) ? featureInputs(samples) : pixelInputs(samples);
  return {
    inputs: {
      ...imageInputs,
      image_index: { dtype: 'int32', shape: [B], data: Int32Array.from(imageOfCaption) },
      input_ids: { dtype: 'int32', shape: [B, T], data: inputIds },
      attention_mask: { dtype: 'int32', shape: [B, T], data: attentionMask },
      ...auxiliaryInputs(samples, size, config, { encodings, T }),
    },
    targets: joinTargets(captions, { encodings, tokens: T }, config),
    ids: samples.flatMap(({ id, captions: own }) => own.map(({ caption }) => `${id}: ${quoted(caption)}`)),
  };
};

interface ImageInputs {
  readonly inputs: Readonly<Record<string, HostTensor>>;
  /** Size of the padded images in pixels. */
  readonly size: { readonly height: number; readonly width: number };
}

const pixelInputs = (samples: readonly ImageSample[]): ImageInputs => {
  const images = collateImages(samples.map(({ image }) => image));
  return {
    inputs: {
      image: { dtype: 'float32', shape: [images.batch, 3, images.height, images.width], data: images.tensors },
      padding: { dtype: 'bool', shape: [images.batch, images.height, images.width], data: images.mask },
    },
    size: images,
  };
};

type PrecomputedSample = ImageSample & Required<Pick<ImageSample, 'features'>>;

/** @throws {MdetrError} when only some samples have features: one program cannot read both */
const isPrecomputed = (samples: readonly ImageSample[]): samples is readonly PrecomputedSample[] => {
  const count = samples.filter(({ features }) => features !== undefined).length;
  if (count > 0 && count < samples.length)
    throw new MdetrError('photographs with computed features and other datasets cannot be trained together');
  return count > 0;
};

/** Features of images, stacked; the last map, `map`, says how many positions there are. */
const featureInputs = (samples: readonly PrecomputedSample[]): ImageInputs => {
  const first = samples[0]!.features;
  const inputs: Record<string, HostTensor> = {};
  for (const [name, { shape }] of Object.entries(first)) {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = new Float32Array(samples.length * length);
    samples.forEach(({ features }, index) => data.set(features[name]!.data as Float32Array, index * length));
    inputs[`feature_${name}`] = { dtype: 'float32', shape: [samples.length, ...shape], data };
  }
  const [, height, width] = first['map']!.shape as [number, number, number];
  const padding = new Uint8Array(samples.length * height * width);
  return {
    inputs: { ...inputs, padding: { dtype: 'bool', shape: [samples.length, height, width], data: padding } },
    size: { height, width },
  };
};
