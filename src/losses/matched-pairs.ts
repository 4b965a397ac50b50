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
/** M, the number of matched pairs; equal for every decoder layer. */
export const matchesDim = symbolicDim('matches');

/**
 * The matching as the criterion's graph sees it: which query of the batch goes with which box of the batch, for every
 * decoder layer. Its inputs are `match_queries` and `match_targets`, both (L, M).
 */
export class MatchedPairs {
  /** (L·M) into the queries of all layers and samples. */
  private readonly queryRows: Tensor;
  /** (L·M) into the boxes. */
  private readonly targetRows: Tensor;
  private readonly lastTargetRows: Tensor;

  /** @param layers L; @param batch B; @param queries Q */
  constructor(
    readonly layers: number,
    readonly batch: Dim,
    readonly queries: Dim,
  ) {
    const queryIndex = input('match_queries', [layers, matchesDim], 'int32'); // into B·Q
    const targetIndex = input('match_targets', [layers, matchesDim], 'int32');
    const firstOfLayer = mul(iota(layers, 'int32'), cast(dimValue(mulDims(batch, queries)), 'int32'));
    this.queryRows = mergeAxes(add(queryIndex, reshape(firstOfLayer, [layers, 1])), 0, 1);
    this.targetRows = mergeAxes(targetIndex, 0, 1);
    this.lastTargetRows = squeeze(slice(targetIndex, 0, layers - 1, layers), 0);
  }

  /** Matched queries' rows of x (L, B, Q, …) → (L, M, …). */
  ofQueries(x: Tensor): Tensor {
    return this.byLayer(gather(mergeAxes(x, 0, 2), this.queryRows, 0));
  }

  /** Matched boxes' rows of x (N, …) → (L, M, …). */
  ofTargets(x: Tensor): Tensor {
    return this.byLayer(gather(x, this.targetRows, 0));
  }

  /** Boxes' rows of x (N, T) put where their queries are, zeros elsewhere → (L, B, Q, T). */
  targetsByQuery(x: Tensor): Tensor {
    const sizes = [this.layers, this.batch, this.queries];
    return splitAxis(scatterAddRows(mulDims(...sizes), this.queryRows, gather(x, this.targetRows, 0)), 0, sizes);
  }

  /** The last decoder layer's matched boxes' rows of x (N, …) → (M, …). */
  ofLastTargets(x: Tensor): Tensor {
    return gather(x, this.lastTargetRows, 0);
  }

  private byLayer(x: Tensor): Tensor {
    return splitAxis(x, 0, [this.layers, matchesDim]);
  }
}
