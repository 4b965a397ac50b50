import { assertOrdered, boxCxcywhToXyxy, type BoxArray } from '../geometry/boxes.ts';
import { giouXyxy } from '../geometry/box-overlap.ts';

/** Weights of the matching cost, under the official argument names. */
export interface MatchingWeights {
  readonly set_cost_class: number;
  readonly set_cost_bbox: number;
  readonly set_cost_giou: number;
}

/** The official defaults. */
export const defaultMatchingWeights: MatchingWeights = { set_cost_class: 1, set_cost_bbox: 5, set_cost_giou: 2 };

/** One sample's predictions and targets. Q queries, C token slots with no-object last, N targets. */
export interface MatchingSample {
  /** (Q, C) before the softmax. */
  readonly logits: Float32Array | Float64Array;
  /** (Q, 4) centre x, centre y, width, height, relative to the image. */
  readonly boxes: BoxArray;
  /** (N, 4) as `boxes`. */
  readonly targetBoxes: BoxArray;
  /** (N, C) weight of every token slot for every target; 0 and 1 in the official code. */
  readonly positiveMap: Float32Array | Float64Array | Uint8Array;
}

/**
 * (Q, N) cost of giving query q to target n:
 * `bbox * L1(box, target) - class * sum(softmax(logits) * positiveMap) - giou * GIoU(box, target)`.
 *
 * @throws {RangeError} when a box is not a number or has a negative size, or lengths do not fit together
 */
export const matchingCost = (
  sample: MatchingSample,
  weights: MatchingWeights = defaultMatchingWeights,
): Float64Array => {
  const { logits, boxes, targetBoxes } = sample;
  const [queries, targets] = [boxes.length / 4, targetBoxes.length / 4];
  const cost = new Float64Array(queries * targets);
  if (cost.length === 0) return cost;
  const slots = logits.length / queries;
  if (!Number.isInteger(slots) || sample.positiveMap.length !== targets * slots) {
    throw new RangeError(
      `matching cost: ${logits.length} logits and a positive map of ${sample.positiveMap.length} values do not fit ` +
        `${queries} queries and ${targets} targets`,
    );
  }
  const positives = positiveSlots(sample.positiveMap, targets, slots);
  const predictedXyxy = boxCxcywhToXyxy(boxes);
  const targetXyxy = boxCxcywhToXyxy(targetBoxes);
  assertOrdered(predictedXyxy);
  assertOrdered(targetXyxy);

  const probabilities = new Float64Array(slots);
  for (let q = 0; q < queries; q++) {
    softmaxInto(probabilities, logits, q * slots);
    for (let n = 0; n < targets; n++) {
      let positive = 0;
      const { slot, weight } = positives[n]!;
      for (let k = 0; k < slot.length; k++) positive += probabilities[slot[k]!]! * weight[k]!;
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

/** The few slots of every target that are not 0; the rest of the 256 would add nothing. */
const positiveSlots = (
  map: Float32Array | Float64Array | Uint8Array,
  targets: number,
  slots: number,
): { slot: number[]; weight: number[] }[] =>
  Array.from({ length: targets }, (_, n) => {
    const slot: number[] = [];
    const weight: number[] = [];
    for (let k = 0; k < slots; k++) {
      const value = map[n * slots + k]!;
      if (value !== 0) {
        slot.push(k);
        weight.push(value);
      }
    }
    return { slot, weight };
  });

const softmaxInto = (out: Float64Array, logits: Float32Array | Float64Array, offset: number): void => {
  let highest = -Infinity;
  for (let k = 0; k < out.length; k++) highest = Math.max(highest, logits[offset + k]!);
  let sum = 0;
  for (let k = 0; k < out.length; k++) sum += out[k] = Math.exp(logits[offset + k]! - highest);
  for (let k = 0; k < out.length; k++) out[k]! /= sum;
};
