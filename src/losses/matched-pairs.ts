import { input, mulDims, symbolicDim, type Dim, type Tensor } from '../engine/graph/index.ts';
import {
  add,
  cast,
  dimValue,
  gather,
  iota,
  mergeAxes,
  mul,
  reshape,
  scatterAddRows,
  slice,
  splitAxis,
  squeeze,
} from '../engine/ops/index.ts';

/** N, the number of boxes in the batch. */
export const boxesDim = symbolicDim('boxes');
/** M, the number of matched pairs, which is the same for every decoder layer. */
export const matchesDim = symbolicDim('matches');

/**
 * The matching of a batch inside the criterion's graph: which query goes with which box, for every decoder layer. Its
 * inputs are `match_queries` and `match_targets` (L, M), and `unmatched` (L, B, Q).
 */
export class MatchedPairs {
  /** (L, B, Q) 1 for queries without a box, else 0. */
  readonly unmatched: Tensor;
  /** (L·M) indices into the queries of all layers and samples. */
  private readonly queryIndices: Tensor;
  /** (L·M) indices into the boxes. */
  private readonly targetIndices: Tensor;
  /** (M) indices into the boxes, of the last layer. */
  private readonly lastTargetIndices: Tensor;

  /** @param layers L; @param batch B; @param queries Q */
  constructor(
    /** Number of decoder layers (L). */
    readonly layers: number,
    /** Number of samples (B). */
    readonly batch: Dim,
    /** Number of queries (Q). */
    readonly queries: Dim,
  ) {
    this.unmatched = input('unmatched', [layers, batch, queries]);
    const queryIndices = input('match_queries', [layers, matchesDim], 'int32'); // into B·Q
    const targetIndices = input('match_targets', [layers, matchesDim], 'int32');
    const firstOfLayer = mul(iota(layers, 'int32'), cast(dimValue(mulDims(batch, queries)), 'int32'));
    this.queryIndices = mergeAxes(add(queryIndices, reshape(firstOfLayer, [layers, 1])), 0, 1);
    this.targetIndices = mergeAxes(targetIndices, 0, 1);
    this.lastTargetIndices = squeeze(slice(targetIndices, 0, layers - 1, layers), 0);
  }

  /** Rows of x (L, B, Q, …) that belong to matched queries → (L, M, …). */
  ofQueries(x: Tensor): Tensor {
    return this.byLayer(gather(mergeAxes(x, 0, 2), this.queryIndices, 0));
  }

  /** Rows of x (N, …) that belong to matched boxes → (L, M, …). */
  ofTargets(x: Tensor): Tensor {
    return this.byLayer(gather(x, this.targetIndices, 0));
  }

  /** Scatters the rows of x (N, T) to the queries that their boxes are matched with, zeros elsewhere → (L, B, Q, T). */
  targetsByQuery(x: Tensor): Tensor {
    const axes = [this.layers, this.batch, this.queries];
    return splitAxis(scatterAddRows(mulDims(...axes), this.queryIndices, gather(x, this.targetIndices, 0)), 0, axes);
  }

  /** Rows of x (N, …) that belong to the last decoder layer's matched boxes → (M, …). */
  ofLastTargets(x: Tensor): Tensor {
    return gather(x, this.lastTargetIndices, 0);
  }

  private byLayer(x: Tensor): Tensor {
    return splitAxis(x, 0, [this.layers, matchesDim]);
  }
}
