import { matchingCost, DEFAULT_MATCHING_WEIGHTS, type MatchingWeights, type PositiveEntries } from './cost.ts';
import { linearSumAssignment } from './hungarian.ts';

/** Matched queries and targets of a sample: min(Q, N) pairs ordered by query. Target indices are within the sample. */
export interface Match {
  /** Indices of the matched queries, ascending. */
  readonly queries: Int32Array;
  /** Index of the target of each matched query. */
  readonly targets: Int32Array;
}

/** Predictions of one decoder layer, and the concatenated targets of all samples. */
export interface MatcherInput {
  /** (B, Q, C) softmax of the class logits. */
  readonly probabilities: Float32Array;
  /** (B, Q, 4) in cxcywh format, relative to the image. */
  readonly predBoxes: Float32Array | Float64Array;
  /** (sum of targetCounts, 4) in the format of `predBoxes`. */
  readonly targetBoxes: Float32Array | Float64Array;
  /** Classes of each target, (sum of targetCounts); see `positiveEntries`. */
  readonly positives: readonly PositiveEntries[];
  /** Number of targets of every sample, (B). */
  readonly targetCounts: readonly number[];
}

/**
 * Assigns queries to targets one to one with the smallest total cost, sample by sample.
 *
 * @throws {RangeError} if a cost is not finite (the message names the sample), or the lengths do not fit each other
 */
export const matchTargets = (
  input: MatcherInput,
  weights: MatchingWeights = DEFAULT_MATCHING_WEIGHTS,
): readonly Match[] => {
  const batch = input.targetCounts.length;
  const total = input.targetCounts.reduce((sum, count) => sum + count, 0);
  if (input.targetBoxes.length !== 4 * total) {
    throw new RangeError(`matcher: ${input.targetBoxes.length / 4} target boxes, but targetCounts add up to ${total}`);
  }
  const queries = input.predBoxes.length / 4 / batch;
  const classes = input.probabilities.length / (batch * queries);
  let first = 0;
  return input.targetCounts.map((count, b) => {
    const [from, to] = [first, first + count];
    first = to;
    try {
      const cost = matchingCost(
        {
          probabilities: input.probabilities.subarray(b * queries * classes, (b + 1) * queries * classes),
          boxes: input.predBoxes.subarray(b * queries * 4, (b + 1) * queries * 4),
          targetBoxes: input.targetBoxes.subarray(from * 4, to * 4),
          positives: input.positives.slice(from, to),
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
