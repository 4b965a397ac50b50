import { messageOf } from '../errors.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import { matchTargets, type Match } from '../matching/matcher.ts';
import { positiveEntries, type MatchingWeights } from '../matching/cost.ts';
import type { BatchTargets } from './targets.ts';

/** Matches of every decoder layer and sample: which query was given which of the sample's boxes, ordered by query. */
export type LayerMatches = readonly (readonly Match[])[];

/**
 * Matches the queries of every decoder layer with the boxes of their sample.
 *
 * @param predictions `pred_probabilities` (L, B, Q, 256), the softmax of `pred_logits`, and `pred_boxes` (L, B, Q, 4)
 * @throws {RangeError} naming the layer and the sample whose cost is not finite
 */
export const matchLayers = (
  predictions: { readonly pred_probabilities: HostTensor; readonly pred_boxes: HostTensor },
  { boxCounts, inputs }: BatchTargets,
  weights: MatchingWeights,
): LayerMatches => {
  const { pred_probabilities: probabilities, pred_boxes: boxes } = predictions;
  const positives = positiveEntries(inputs.positive_map.data as Float32Array, probabilities.shape.at(-1)!);
  const layers = probabilities.shape[0]!;
  return Array.from({ length: layers }, (_, layer) => {
    try {
      return matchTargets(
        {
          probabilities: layerOf(probabilities, layer),
          predBoxes: layerOf(boxes, layer),
          targetBoxes: inputs.target_boxes.data as Float32Array,
          positives,
          targetCounts: boxCounts,
        },
        weights,
      );
    } catch (error) {
      throw new RangeError(`decoder layer ${layer}: ${messageOf(error)}`, { cause: error });
    }
  });
};

const layerOf = (tensor: HostTensor, layer: number): Float32Array => {
  if (tensor.dtype !== 'float32' || tensor.shape.length !== 4)
    throw new Error(`internal: predictions are float32 (L, B, Q, ·), not ${tensor.dtype}[${tensor.shape.join(', ')}]`);
  const length = tensor.data.length / tensor.shape[0]!;
  return tensor.data.subarray(layer * length, (layer + 1) * length);
};
