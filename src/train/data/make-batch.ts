import { quoted } from '../../errors.ts';
import { collateImages } from '../../data/sampling/collate.ts';
import { joinTargets } from '../../losses/index.ts';
import { padEncodings } from '../../text/index.ts';
import type { TrainConfig } from '../config/config.ts';
import { auxiliaryInputs } from '../auxiliary/auxiliary-losses.ts';
import type { ImageSample } from './sample-source.ts';
import type { TrainBatch } from './train-batch.ts';

/**
 * Joins images and their captions into a batch: images padded to the largest height and width, captions to the longest.
 *
 * @param padId id of the tokenizer's padding token
 * @throws {MdetrError} naming the sample that lacks what the config trains on
 */
export const makeBatch = (samples: readonly ImageSample[], padId: number, config: TrainConfig): TrainBatch => {
  const images = collateImages(samples.map(({ image }) => image));
  const captions = samples.flatMap((sample) => sample.captions);
  const imageOfCaption = samples.flatMap((sample, image) => sample.captions.map(() => image));
  const { inputIds, attentionMask, encodings, B, T } = padEncodings(
    captions.map(({ encoding }) => encoding),
    padId,
  );
  return {
    inputs: {
      image: { dtype: 'float32', shape: [images.batch, 3, images.height, images.width], data: images.tensors },
      padding: { dtype: 'bool', shape: [images.batch, images.height, images.width], data: images.mask },
      image_index: { dtype: 'int32', shape: [B], data: Int32Array.from(imageOfCaption) },
      input_ids: { dtype: 'int32', shape: [B, T], data: inputIds },
      attention_mask: { dtype: 'int32', shape: [B, T], data: attentionMask },
      ...auxiliaryInputs(samples, images, config, { encodings, T }),
    },
    targets: joinTargets(captions, { encodings, tokens: T }, config),
    ids: samples.flatMap(({ id, captions: own }) => own.map(({ caption }) => `${id}: ${quoted(caption)}`)),
  };
};
