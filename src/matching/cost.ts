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

/** Predictions and targets of one sample: Q queries, N targets, C classes (soft tokens, then no-object). */
export interface MatchingSample {
  /** (Q, C) class logits. */
  readonly logits: Float32Array | Float64Array;
  /** (Q, 4) in cxcywh format, relative to the image. */
  readonly boxes: BoxArray;
  /** (N, 4) in the format of `boxes`. */
  readonly targetBoxes: BoxArray;
  /** (N, C) weight of every class for every target; 0 or 1 in the official code. */
  readonly positiveMap: Float32Array | Float64Array | Uint8Array;
}

/**
 * Matching cost (Q, N) of assigning query q to target n:
 * `bbox * L1(box, target) - class * sum(softmax(logits) * positiveMap) - giou * GIoU(box, target)`.
 *
 * @throws {RangeError} if a box is NaN or has a negative size, or the lengths do not fit each other
 */
export const matchingCost = (
  sample: MatchingSample,
  weights: MatchingWeights = DEFAULT_MATCHING_WEIGHTS,
): Float64Array => {
  const { logits, boxes, targetBoxes } = sample;
  const [queries, targets] = [boxes.length / 4, targetBoxes.length / 4];
  const cost = new Float64Array(queries * targets);
  if (cost.length === 0) return cost;
  const classes = logits.length / queries;
  if (!Number.isInteger(classes) || sample.positiveMap.length !== targets * classes) {
    throw new RangeError(
      `matching cost: ${logits.length} logits and a positive map of ${sample.positiveMap.length} values do not fit ` +
        `${queries} queries and ${targets} targets`,
    );
  }
  const positives = positiveEntries(sample.positiveMap, targets, classes);
  const predictedXyxy = boxCxcywhToXyxy(boxes);
  const targetXyxy = boxCxcywhToXyxy(targetBoxes);
  assertOrdered(predictedXyxy);
  assertOrdered(targetXyxy);

  const probabilities = new Float64Array(classes);
  for (let q = 0; q < queries; q++) {
    softmaxInto(probabilities, logits, q * classes);
    for (let n = 0; n < targets; n++) {
      let positive = 0;
      const { index, weight } = positives[n]!;
      for (let k = 0; k < index.length; k++) positive += probabilities[index[k]!]! * weight[k]!;
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

/** Nonzero entries of every target's positive map; the others do not contribute. */
const positiveEntries = (
  map: Float32Array | Float64Array | Uint8Array,
  targets: number,
  classes: number,
): { index: number[]; weight: number[] }[] =>
  Array.from({ length: targets }, (_, n) => {
    const index: number[] = [];
    const weight: number[] = [];
    for (let k = 0; k < classes; k++) {
      const value = map[n * classes + k]!;
      if (value !== 0) {
        index.push(k);
        weight.push(value);
      }
    }
    return { index, weight };
  });

const softmaxInto = (out: Float64Array, logits: Float32Array | Float64Array, offset: number): void => {
  let highest = -Infinity;
  for (let k = 0; k < out.length; k++) highest = Math.max(highest, logits[offset + k]!);
  let sum = 0;
  for (let k = 0; k < out.length; k++) sum += out[k] = Math.exp(logits[offset + k]! - highest);
  for (let k = 0; k < out.length; k++) out[k]! /= sum;
};
