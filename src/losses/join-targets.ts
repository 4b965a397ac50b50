import { concatValues } from '../engine/graph/concat-values.ts';
import { float32Tensor } from '../engine/graph/index.ts';
import { binaryPositiveMap, normalizedPositiveMap, SOFT_TOKEN_CLASSES } from '../text/index.ts';
import type { LossConfig } from './config.ts';
import { activeLosses } from './losses.ts';
import type { BatchTargets, CaptionTokens, SampleTarget } from './targets.ts';

/**
 * Joins the targets of a batch into the tensors that matching and the trained losses read.
 *
 * @param captions required by the alignment loss
 * @throws {MdetrError} naming the setting and the sample that lacks a field
 */
export const joinTargets = (
  samples: readonly SampleTarget[],
  captions: CaptionTokens | undefined,
  config: LossConfig,
): BatchTargets => {
  const boxCounts = samples.map(({ boxesCxcywh }) => boxesCxcywh.length / 4);
  samples.forEach((sample, index) => requireLengths(sample, boxCounts[index]!, index));
  const boxes = boxCounts.reduce((sum, count) => sum + count, 0);
  const positiveRows = samples.flatMap((sample) => sample.positiveRows);
  const positiveMap =
    config.positive_map === 'binary' ? binaryPositiveMap(positiveRows) : normalizedPositiveMap(positiveRows);
  const trained = activeLosses(config).flatMap(({ inputs }) =>
    Object.entries(inputs.targets?.({ samples, captions }, config) ?? {}),
  );
  return {
    boxCounts,
    inputs: {
      ...Object.fromEntries(trained),
      target_boxes: float32Tensor(
        [boxes, 4],
        concatValues(
          Float32Array,
          samples.map(({ boxesCxcywh }) => boxesCxcywh),
        ),
      ),
      positive_map: float32Tensor([boxes, SOFT_TOKEN_CLASSES], positiveMap),
      box_counts: float32Tensor([boxCounts.length], boxCounts),
    },
  };
};

const requireLengths = (sample: SampleTarget, boxes: number, index: number): void => {
  const { positiveRows, tokensPositive, isFinal, masks } = sample;
  const lengths = {
    positiveRows: positiveRows.length,
    tokensPositive: tokensPositive?.length,
    isFinal: isFinal?.length,
    masks: masks === undefined ? undefined : masks.data.length / (masks.height * masks.width || 1),
  };
  for (const [name, length] of Object.entries(lengths))
    if (length !== undefined && length !== boxes)
      throw new Error(`internal: sample ${index} of the batch has ${boxes} boxes, but ${name} for ${length}`);
};
