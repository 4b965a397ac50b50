import { symbolicDim, type Dim, type HostTensor, type Tensor } from '../../engine/graph/index.ts';
import {
  add,
  cast,
  concat,
  div,
  gather,
  greater,
  log,
  maximum,
  mul,
  neg,
  scalar,
  slice,
  sub,
  sum,
  unsqueeze,
} from '../../engine/ops/index.ts';
import type { AuxiliaryBatch } from './auxiliary-batch.ts';
import type { MemoryLoss } from './auxiliary-loss.ts';
import { COMPARISON_KINDS } from './comparisons.ts';
import { concatFloat32 } from './cell-targets.ts';
import { positionObjects } from './position-targets.ts';

/**
 * Encoder layers whose attention is trained: for relations, and for equal attributes. In the layer before them objects meet
 * the words that name them.
 */
const LAYERS = [1, 2] as const;
/** Keeps logarithms finite. */
const MIN_MASS = 1e-4;

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
    ({ cache: { imageMemory, attentionOf }, imageIndex, target }) => {
      const [batch, positions] = imageMemory.shape as [Dim, Dim];
      const perLayer = COMPARISON_KINDS / LAYERS.length;
      const landmarks = unsqueeze(target('auxiliary_landmarks', [batch, COMPARISON_KINDS, positions]), 2); // (B, kinds, 1, h·w)
      const compared = target('auxiliary_compared', [batch, COMPARISON_KINDS, positions]);
      const pairs = target('auxiliary_related', [symbolicDim('images'), COMPARISON_KINDS, positions, positions]);
      const expected = mul(gather(pairs, imageIndex), landmarks); // (B, kinds, h·w, h·w)
      const hasExpected = cast(greater(sum(expected, [3]), 0), 'float32');
      const attention = concat(
        LAYERS.map((layer) => slice(attentionOf(layer), 1, 0, perLayer)),
        1,
      ); // (B, kinds, S, S)
      const ofImage = slice(slice(attention, 2, 0, positions), 3, 0, positions);
      const related = mul(compared, hasExpected);
      const unrelated = mul(
        mul(compared, sub(scalar(1), hasExpected)),
        cast(greater(sum(landmarks, [3]), 0), 'float32'),
      );
      const value = add(
        meanOver(related, sum(mul(ofImage, expected), [3])),
        meanOver(unrelated, sub(scalar(1), sum(mul(ofImage, landmarks), [3]))),
      );
      return [{ name: 'auxiliary_relation_attention', value, weight }];
    },
  inputs: (batch) => ({ ...captionInputs(batch), ...relatedInputs(batch) }),
};

/** Mean of −log of a probability over the rows with weight 1. */
const meanOver = (rows: Tensor, probability: Tensor): Tensor =>
  div(sum(mul(rows, neg(log(add(probability, scalar(MIN_MASS)))))), maximum(sum(rows), 1));

const captionInputs = ({ images, grid }: AuxiliaryBatch): Record<string, HostTensor> => {
  const positions = grid.height * grid.width;
  const targets = images.flatMap((image) => {
    const found = positionObjects(grid, image, 'relations');
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
    auxiliary_landmarks: { dtype: 'float32', shape, data: concatFloat32(targets.map(({ landmarks }) => landmarks)) },
    auxiliary_compared: { dtype: 'float32', shape, data: concatFloat32(targets.map(({ compared }) => compared)) },
  };
};

const relatedInputs = ({ images, grid }: AuxiliaryBatch): Record<string, HostTensor> => {
  const positions = grid.height * grid.width;
  const related = images.map((image) => {
    const found = positionObjects(grid, image, 'relations');
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
      data: concatFloat32(related),
    },
  };
};
