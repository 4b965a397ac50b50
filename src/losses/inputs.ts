import { float32Tensor, int32Tensor, type HostTensor } from '../engine/graph/index.ts';
import { SOFT_TOKEN_CLASSES } from '../text/soft-tokens.ts';
import type { LayerMatches } from './matching.ts';
import type { LossTargets } from './targets.ts';

/**
 * What sums over boxes are divided by: the boxes of all workers' batches, averaged over the workers, at least 1.
 */
export const boxNormaliser = (boxesOfAllWorkers: number, workers = 1): number =>
  Math.max(boxesOfAllWorkers / workers, 1);

/**
 * The loss program's inputs for detection, by name. All of them are made that the targets allow for; the program takes
 * those that it trains on.
 *
 * @param queries Q, the number of queries a sample
 * @param numBoxes see `boxNormaliser`
 */
export const lossInputs = (
  targets: LossTargets,
  matches: LayerMatches,
  queries: number,
  numBoxes: number,
): Record<string, HostTensor> => {
  const { boxCounts, alignment, isFinal, masks } = targets;
  const boxes = boxCounts.reduce((sum, count) => sum + count, 0);
  return {
    num_boxes: float32Tensor([], [numBoxes]),
    box_counts: float32Tensor([boxCounts.length], boxCounts),
    target_boxes: float32Tensor([boxes, 4], targets.boxesCxcywh),
    positive_map: float32Tensor([boxes, SOFT_TOKEN_CLASSES], targets.positiveMap),
    ...matchInputs(matches, boxCounts, queries),
    ...(alignment && { alignment_map: float32Tensor([boxes, alignment.tokens], alignment.map) }),
    ...(isFinal && { target_isfinal: float32Tensor([boxes], isFinal) }),
    ...(masks && { target_masks: { dtype: 'uint8', shape: [boxes, masks.height, masks.width], data: masks.data } }),
  };
};

/** `match_queries` into the batch's queries and `match_targets` into its boxes, both (L, M); `unmatched` (L, B, Q). */
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
 * The queries that masks are made of, those matched in the last decoder layer: for each its row among the batch's
 * queries (B·Q) and its sample, both (M).
 */
export const maskQueries = (
  matches: LayerMatches,
  queries: number,
): { readonly rows: Int32Array; readonly samples: Int32Array } => {
  const pairs = matches.at(-1)!.flatMap((match, sample) => Array.from(match.queries, (query) => ({ sample, query })));
  return {
    rows: Int32Array.from(pairs, ({ sample, query }) => sample * queries + query),
    samples: Int32Array.from(pairs, ({ sample }) => sample),
  };
};

/** Labels of a batch's questions by official name (`answer_type`, `answer_obj` …): one a sample, below 0 for none. */
export type AnswerLabels = Readonly<Record<string, ArrayLike<number>>>;

/** The loss program's inputs for question answering, by name. */
export const answerInputs = (labels: AnswerLabels): Record<string, HostTensor> =>
  Object.fromEntries(
    Object.entries(labels).map(([name, values]) => {
      const shape = [values.length];
      // Of two answers the label is a probability.
      return [
        name,
        name === 'answer_binary' ? float32Tensor(shape, Array.from(values)) : int32Tensor(shape, Array.from(values)),
      ];
    }),
  );
