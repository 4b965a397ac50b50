import { concatValues } from '../../engine/graph/concat-values.ts';
import { symbolicDim, type Dim, type HostTensor } from '../../engine/graph/index.ts';
import { cast, concat, gather, greater, mul, scalar, slice, sub, sum, unsqueeze } from '../../engine/ops/index.ts';
import { attentionLoss, avoidanceLoss } from './attention-loss.ts';
import type { AuxiliaryImage } from './auxiliary-batch.ts';
import type { MemoryLoss } from './auxiliary-loss.ts';
import { COMPARISON_KINDS } from './comparisons.ts';
import { positionObjects } from './position-targets.ts';

/**
 * Encoder layers whose attention is trained: for relations, and for equal attributes. In the layer before them objects meet
 * the words that name them.
 */
const LAYERS = [1, 2] as const;

/**
 * Attention loss of the second and third encoder layer: one head per relation attends from every object that has the
 * relation to a landmark of the text ("left of the red cube") to the positions of the landmark, and from the others not to
 * them; for superlatives ("the leftmost cube") the cubes attend to those further left. In the third layer one head per
 * attribute does so from objects with the landmark's value ("of the same color as the cube"). Without it small networks find
 * what a text names long before they see how it is related. It has no parameters.
 */
export const relationsLoss: MemoryLoss = {
  name: 'relations',
  level: 'memory',
  weight: (config) => config.relation_auxiliary_loss,
  head:
    (_scope, _network, weight) =>
    ({ cache: { imageMemory, attention: ofLayers }, imageIndex, target }) => {
      const [batch, positions] = imageMemory.shape as [Dim, Dim];
      const perLayer = COMPARISON_KINDS / LAYERS.length;
      const landmarks = unsqueeze(target('auxiliary_landmarks', [batch, COMPARISON_KINDS, positions]), 2); // (B, kinds, 1, h·w)
      const compared = target('auxiliary_compared', [batch, COMPARISON_KINDS, positions]);
      const pairs = target('auxiliary_related', [symbolicDim('images'), COMPARISON_KINDS, positions, positions]);
      const expected = mul(gather(pairs, imageIndex), landmarks); // (B, kinds, h·w, h·w)
      const hasExpected = cast(greater(sum(expected, [3]), 0), 'float32');
      const attention = concat(
        LAYERS.map((layer) => slice(ofLayers[layer]!, 1, 0, perLayer)),
        1,
      ); // (B, kinds, S, S)
      const ofImage = slice(slice(attention, 2, 0, positions), 3, 0, positions);
      const unrelated = mul(
        mul(compared, sub(scalar(1), hasExpected)),
        cast(greater(sum(landmarks, [3]), 0), 'float32'),
      );
      const means = [
        attentionLoss(ofImage, mul(expected, unsqueeze(compared, 3))),
        avoidanceLoss(ofImage, landmarks, unrelated),
      ];
      return [{ name: 'auxiliary_relation_attention', means, weight }];
    },
  inputs: ({ images, grid }) => {
    const shown = images.map((image) => positionObjects(grid, image, 'relations'));
    return { ...captionInputs(images, shown), ...relatedInputs(images, shown) };
  },
};

/** @param shown the object of each position (`positionObjects`), for each image */
const captionInputs = (images: readonly AuxiliaryImage[], shown: readonly Int32Array[]): Record<string, HostTensor> => {
  const positions = shown[0]?.length ?? 0;
  const targets = images.flatMap((image, index) => {
    const found = shown[index]!;
    return image.captions.map(({ comparisons = [] }) => {
      const landmarks = new Float32Array(COMPARISON_KINDS * positions);
      const compared = new Float32Array(COMPARISON_KINDS * positions);
      for (const comparison of comparisons)
        found.forEach((object, position) => {
          const at = comparison.kind * positions + position;
          if (comparison.landmarks.includes(object)) landmarks[at] = 1;
          if (comparison.compared.includes(object)) compared[at] = 1;
        });
      return { landmarks, compared };
    });
  });
  const shape = [targets.length, COMPARISON_KINDS, positions];
  return {
    auxiliary_landmarks: {
      dtype: 'float32',
      shape,
      data: concatValues(
        Float32Array,
        targets.map(({ landmarks }) => landmarks),
      ),
    },
    auxiliary_compared: {
      dtype: 'float32',
      shape,
      data: concatValues(
        Float32Array,
        targets.map(({ compared }) => compared),
      ),
    },
  };
};

/** @param shown the object of each position (`positionObjects`), for each image */
const relatedInputs = (images: readonly AuxiliaryImage[], shown: readonly Int32Array[]): Record<string, HostTensor> => {
  const positions = shown[0]?.length ?? 0;
  const related = images.map((image, index) => {
    const found = shown[index]!;
    const values = new Float32Array(COMPARISON_KINDS * positions * positions);
    image.objects!.related!.forEach((related, kind) =>
      found.forEach((object, at) =>
        found.forEach((landmark, to) => {
          if (object < 0 || landmark < 0 || !related[landmark]!.includes(object)) return;
          values[(kind * positions + at) * positions + to] = 1;
        }),
      ),
    );
    return values;
  });
  return {
    auxiliary_related: {
      dtype: 'float32',
      shape: [images.length, COMPARISON_KINDS, positions, positions],
      data: concatValues(Float32Array, related),
    },
  };
};
