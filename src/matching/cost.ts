import { assertOrdered, boxCxcywhToXyxy, type BoxArray } from '../geometry/boxes.ts';
import { giouXyxy } from '../geometry/box-overlap.ts';

/** Weights of the matching cost, under the official argument names. */
export interface MatchingWeights {
  /** Weight of the soft-token score. */
  readonly set_cost_class: number;
  /** Weight of the L1 distance of normalized boxes. */
  readonly set_cost_bbox: number;
  /** Weight of the generalized IoU. */
  readonly set_cost_giou: number;
}

/** Official default weights. */
export const DEFAULT_MATCHING_WEIGHTS: MatchingWeights = { set_cost_class: 1, set_cost_bbox: 5, set_cost_giou: 2 };

/** Non-zero entries of a target's positive map. The classes that the target is not of do not contribute to its cost. */
export interface PositiveEntries {
  /** Indices of classes. */
  readonly classes: readonly number[];
  /** Weight of each of them; 1 in the official code. */
  readonly weights: readonly number[];
}

/** Predictions and targets of one sample: Q queries, N targets, C classes (soft tokens, then no-object). */
export interface MatchingSample {
  /** (Q, C) softmax of the class logits. */
  readonly probabilities: Float32Array;
  /** (Q, 4) in cxcywh format, relative to the image. */
  readonly boxes: BoxArray;
  /** (N, 4) in the format of `boxes`. */
  readonly targetBoxes: BoxArray;
  /** Classes of each target, (N); see `positiveEntries`. */
  readonly positives: readonly PositiveEntries[];
}

/**
 * Matching cost (Q, N) of assigning query q to target n:
 * `bbox * L1(box, target) - class * sum(probabilities * positiveMap) - giou * GIoU(box, target)`.
 *
 * @throws {RangeError} if a box is NaN or has a negative size, or the lengths do not fit each other
 */
export const matchingCost = (
  sample: MatchingSample,
  weights: MatchingWeights = DEFAULT_MATCHING_WEIGHTS,
): Float64Array => {
  const { probabilities, boxes, targetBoxes, positives } = sample;
  const [queries, targets] = [boxes.length / 4, targetBoxes.length / 4];
  const cost = new Float64Array(queries * targets);
  if (cost.length === 0) return cost;
  const classes = probabilities.length / queries;
  if (!Number.isInteger(classes) || positives.length !== targets) {
    throw new RangeError(
      `matching cost: ${probabilities.length} probabilities and the classes of ${positives.length} targets do not fit ` +
        `${queries} queries and ${targets} targets`,
    );
  }
  const predictedXyxy = boxCxcywhToXyxy(boxes);
  const targetXyxy = boxCxcywhToXyxy(targetBoxes);
  assertOrdered(predictedXyxy);
  assertOrdered(targetXyxy);

  for (let q = 0; q < queries; q++) {
    for (let n = 0; n < targets; n++) {
      let positive = 0;
      const { classes: own, weights: shares } = positives[n]!;
      for (let k = 0; k < own.length; k++) positive += probabilities[q * classes + own[k]!]! * shares[k]!;
      let l1 = 0;
      for (let k = 0; k < 4; k++) l1 += Math.abs(boxes[4 * q + k]! - targetBoxes[4 * n + k]!);
      cost[q * targets + n] =
        weights.set_cost_bbox * l1 -
        weights.set_cost_class * positive -
        weights.set_cost_giou * giouXyxy(predictedXyxy, q, targetXyxy, n);
    }
  }
  return cost;
};

/**
 * Finds the classes of every target. All decoder layers share them.
 *
 * @param map (N, C) weight of every class for every target
 * @param classes C
 */
export const positiveEntries = (map: Float32Array, classes: number): readonly PositiveEntries[] =>
  Array.from({ length: map.length / classes }, (_, n) => {
    const found: { classes: number[]; weights: number[] } = { classes: [], weights: [] };
    for (let k = 0; k < classes; k++) {
      const weight = map[n * classes + k]!;
      if (weight === 0) continue;
      found.classes.push(k);
      found.weights.push(weight);
    }
    return found;
  });
