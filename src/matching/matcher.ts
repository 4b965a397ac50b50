import { matchingCost, defaultMatchingWeights, type MatchingWeights } from './cost.ts';
import { linearSumAssignment } from './hungarian.ts';

/** Queries and the targets they were given, min(Q, N) pairs ordered by query; targets count within their sample. */
export interface Match {
  readonly queries: Int32Array;
  readonly targets: Int32Array;
}

/** One decoder layer's predictions with all samples' targets one after another. */
export interface MatcherInput {
  /** (B, Q, C) */
  readonly predLogits: Float32Array | Float64Array;
  /** (B, Q, 4) centre x, centre y, width, height, relative to the image. */
  readonly predBoxes: Float32Array | Float64Array;
  /** (sum of targetCounts, 4) as `predBoxes`. */
  readonly targetBoxes: Float32Array | Float64Array;
  /** (sum of targetCounts, C) */
  readonly positiveMap: Float32Array | Float64Array | Uint8Array;
  /** Number of targets of every sample; its length is B. */
  readonly targetCounts: readonly number[];
}

/**
 * The one-to-one assignment of queries to targets with the smallest total cost, per sample.
 *
 * @throws {RangeError} when a cost is not finite (the message names the sample), or lengths do not fit together
 */
export const matchTargets = (
  input: MatcherInput,
  weights: MatchingWeights = defaultMatchingWeights,
): readonly Match[] => {
  const batch = input.targetCounts.length;
  const total = input.targetCounts.reduce((sum, count) => sum + count, 0);
  if (input.targetBoxes.length !== 4 * total) {
    throw new RangeError(`matcher: ${input.targetBoxes.length / 4} target boxes, but targetCounts add up to ${total}`);
  }
  const queries = input.predBoxes.length / 4 / batch;
  const slots = input.predLogits.length / (batch * queries);
  let first = 0;
  return input.targetCounts.map((count, b) => {
    const [from, to] = [first, first + count];
    first = to;
    try {
      const cost = matchingCost(
        {
          logits: input.predLogits.subarray(b * queries * slots, (b + 1) * queries * slots),
          boxes: input.predBoxes.subarray(b * queries * 4, (b + 1) * queries * 4),
          targetBoxes: input.targetBoxes.subarray(from * 4, to * 4),
          positiveMap: input.positiveMap.subarray(from * slots, to * slots),
        },
        weights,
      );
      const { rows, columns } = linearSumAssignment(cost, queries, count);
      return { queries: rows, targets: columns };
    } catch (error) {
      throw new RangeError(`matching sample ${b}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  });
};
