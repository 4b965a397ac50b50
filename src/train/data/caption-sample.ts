import { normalizedBoxes, type Target } from '../../data/format/target.ts';
import { withContext } from './error-context.ts';
import { maskToDense } from '../../geometry/run-lengths.ts';
import type { SampleMasks } from '../../losses/index.ts';
import type { ModelConfig } from '../../models/index.ts';
import { createPositiveMap, type Tokenizer } from '../../text/index.ts';
import type { CaptionSample } from './sample-source.ts';

/**
 * Tokenizes a caption and finds the tokens of its boxes, once for batch and losses.
 *
 * @throws {MdetrError} naming the field when the caption is too long for the text encoder, or a span is no range of it
 */
export const tokenizeSample = (
  fields: Omit<CaptionSample, 'encoding' | 'positiveRows'>,
  tokenizer: Tokenizer,
): CaptionSample => {
  const encoding = withContext('caption', () => tokenizer.encode(fields.caption));
  const positiveRows = withContext('tokens_positive', () => createPositiveMap(encoding, fields.tokensPositive));
  return { ...fields, encoding, positiveRows };
};

/**
 * The caption sample of an augmented target.
 *
 * @param answers labels of the question heads, for networks that have them
 * @throws {MdetrError} naming the field, like `tokenizeSample`
 */
export const sampleOfTarget = (
  target: Target,
  answers: CaptionSample['answers'],
  tokenizer: Tokenizer,
  config: Pick<ModelConfig, 'predict_final'>,
): CaptionSample => {
  const { caption, tokensPositive = [], isFinal, masks, size } = target;
  const boxesCxcywh = normalizedBoxes(target);
  const fields = {
    caption,
    boxesCxcywh,
    tokensPositive,
    // A file without `isfinal` marks has captions that are about everything they mention.
    isFinal: isFinal ?? (config.predict_final ? new Float32Array(boxesCxcywh.length / 4).fill(1) : undefined),
    masks: masks && joinMasks(masks.map(maskToDense), size),
    answers,
  };
  return tokenizeSample(fields, tokenizer);
};

/** (n, height, width) of n masks. */
const joinMasks = (masks: readonly Uint8Array[], [height, width]: Target['size']): SampleMasks => {
  const data = new Uint8Array(masks.length * height * width);
  masks.forEach((mask, index) => data.set(mask, index * height * width));
  return { data, height, width };
};
