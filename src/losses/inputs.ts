import { float32Tensor, int32Tensor, type HostTensor } from '../engine/graph/index.ts';
import type { LayerMatches } from './matching.ts';
import type { BatchTargets } from './targets.ts';

/** Divisor of sums over boxes: the boxes of all processes' batches, averaged over the batches, at least 1. */
export const boxNormalizer = (boxes: number, batches = 1): number => Math.max(boxes / batches, 1);

/**
 * Inputs of the loss program after matching, by name: the targets, `num_boxes` (scalar), `match_queries` and
 * `match_targets` (L, M), and `unmatched` (L, B, Q).
 *
 * @param queries Q, the number of queries of a sample
 * @param numBoxes see `boxNormalizer`
 */
export const lossInputs = (
  { boxCounts, inputs }: BatchTargets,
  matches: LayerMatches,
  queries: number,
  numBoxes: number,
): Record<string, HostTensor> => ({
  ...inputs,
  num_boxes: float32Tensor([], [numBoxes]),
  ...matchInputs(matches, boxCounts, queries),
});

/** `match_queries` indexes the batch's queries (B·Q), `match_targets` its boxes (N); `unmatched` is 0 or 1. */
const matchInputs = (
  matches: LayerMatches,
  boxCounts: readonly number[],
  queries: number,
): Record<string, HostTensor> => {
  const layers = matches.length;
  const batch = boxCounts.length;
  const pairs = matches[0]!.reduce((sum, match) => sum + match.queries.length, 0);
  const [matchQueries, matchTargets] = [new Int32Array(layers * pairs), new Int32Array(layers * pairs)];
  const unmatched = new Float32Array(layers * batch * queries).fill(1);
  let pair = 0;
  matches.forEach((ofLayer, layer) => {
    let firstBox = 0;
    ofLayer.forEach((match, sample) => {
      match.queries.forEach((query, k) => {
        matchQueries[pair] = sample * queries + query;
        matchTargets[pair] = firstBox + match.targets[k]!;
        unmatched[(layer * batch + sample) * queries + query] = 0;
        pair++;
      });
      firstBox += boxCounts[sample]!;
    });
  });
  return {
    match_queries: int32Tensor([layers, pairs], matchQueries),
    match_targets: int32Tensor([layers, pairs], matchTargets),
    unmatched: float32Tensor([layers, batch, queries], unmatched),
  };
};

/**
 * The queries that masks are predicted for: those matched in the last decoder layer. For each its index among the batch's
 * queries (B·Q) and its sample, both (M).
 */
export const maskQueries = (
  matches: LayerMatches,
  queries: number,
): { readonly indices: Int32Array; readonly samples: Int32Array } => {
  const pairs = matches.at(-1)!.flatMap((match, sample) => Array.from(match.queries, (query) => ({ sample, query })));
  return {
    indices: Int32Array.from(pairs, ({ sample, query }) => sample * queries + query),
    samples: Int32Array.from(pairs, ({ sample }) => sample),
  };
};
