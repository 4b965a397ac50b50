import { collateImages } from '../../data/sampling/collate.ts';
import { joinTargets } from '../../losses/index.ts';
import { createPositiveMap, encodeBatch, type Tokenizer } from '../../text/index.ts';
import type { TrainConfig } from '../config/config.ts';
import type { TrainBatch } from '../step/train-step.ts';
import { auxiliaryInputs, type AuxiliaryGeometry } from '../auxiliary/auxiliary-targets.ts';
import { auxiliaryWeights } from '../auxiliary/auxiliary-weights.ts';
import type { ImageSample } from './sample-source.ts';

/** How many times the backbone halves a picture before its last map. */
export const backboneHalvings = ({ small_backbone, dilation }: TrainConfig): number =>
  small_backbone?.widths.length ?? (dilation ? 4 : 5);

export const auxiliaryGeometry = (config: TrainConfig): AuxiliaryGeometry | undefined => {
  const weights = auxiliaryWeights(config);
  const [encoder, backbone, answers, words] = [
    weights.encoder > 0,
    weights.backbone > 0,
    weights.answers > 0,
    weights.words > 0,
  ];
  return encoder || backbone || answers || words
    ? { encoder, backbone, answers, words, halvings: backboneHalvings(config) }
    : undefined;
};

/**
 * Joins pictures and their texts into a batch: pictures padded to the largest, texts to the longest.
 *
 * @throws {MdetrError} naming the sample that lacks what the config trains on
 */
export const makeBatch = (pictures: readonly ImageSample[], tokenizer: Tokenizer, config: TrainConfig): TrainBatch => {
  const images = collateImages(pictures.map(({ image }) => image));
  const rows = pictures.flatMap(({ texts, id }, image) => texts.map((text) => ({ text, image, id })));
  const { inputIds, attentionMask, encodings, B, T } = encodeBatch(
    tokenizer,
    rows.map(({ text }) => text.caption),
  );
  const targets = rows.map(({ text }, row) => ({
    ...text,
    positiveRows: createPositiveMap(encodings[row]!, text.tokensPositive),
  }));
  const geometry = auxiliaryGeometry(config);
  return {
    inputs: {
      image: { dtype: 'float32', shape: [images.batch, 3, images.height, images.width], data: images.tensors },
      padding: { dtype: 'bool', shape: [images.batch, images.height, images.width], data: images.mask },
      image_index: { dtype: 'int32', shape: [B], data: Int32Array.from(rows, ({ image }) => image) },
      input_ids: { dtype: 'int32', shape: [B, T], data: inputIds },
      attention_mask: { dtype: 'int32', shape: [B, T], data: attentionMask },
      ...(geometry && auxiliaryInputs(pictures, images, geometry, { encodings, T })),
    },
    targets: joinTargets(targets, { encodings, tokens: T }, config),
    ids: rows.map(({ text, id }) => `${id}: ${JSON.stringify(text.caption)}`),
  };
};
