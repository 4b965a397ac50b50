import type { Tensor } from '../../engine/graph/index.ts';
import { add, clamp, log, mergeAxes, reshape, scalar, stopGradient, sub } from '../../engine/ops/index.ts';
import { equalParts, LayerNorm, Linear, torchDefaultBias, torchDefaultWeight, type Scope } from '../../nn/index.ts';
import type { ModelConfig } from '../config.ts';
import { candidatesOf, selectCandidates } from './candidates.ts';
import { gatherRows } from '../gather-rows.ts';
import {
  boxesAround,
  cellCenters,
  CELLS_PER_POSITION,
  EncoderHead,
  splitCells,
  type CellBoxes,
  type CellPredictions,
} from './encoder-head.ts';
import { QueryPositions } from './query-positions.ts';

/** Start of the decoder's detection queries. */
export interface QueryStart {
  /** Predictions of the encoder head, which its loss reads. */
  readonly cells: CellPredictions;
  /** (B, Q, 4) reference boxes in cxcywh format, without gradient. */
  readonly boxesCxcywh: Tensor;
  /** (B, Q, D) or (1, Q, D) */
  readonly content: Tensor;
}

/**
 * Language-guided query selection (Grounding DINO, arXiv:2303.05499): the encoder head proposes a box at every position, and
 * the detection queries start from the best ones.
 */
export class QuerySelection {
  private readonly head: EncoderHead;
  private readonly content: { readonly linear: Linear; readonly norm: LayerNorm } | undefined;
  readonly positions: QueryPositions;

  constructor(
    scope: Scope,
    private readonly config: ModelConfig,
  ) {
    const { hidden_dim: features } = config;
    this.head = new EncoderHead(scope.at('encoder_head'), config);
    this.content =
      config.query_selection === 'features'
        ? {
            // Cells begin with equal parts: parts that differ from the start learn words later (docs/results.md#query-selection).
            linear: new Linear(scope.at('query_content').at('linear'), features, CELLS_PER_POSITION * features, {
              init: equalParts(CELLS_PER_POSITION, torchDefaultWeight),
              biasInit: equalParts(CELLS_PER_POSITION, torchDefaultBias(features)),
            }),
            norm: new LayerNorm(scope.at('query_content').at('norm'), features),
          }
        : undefined;
    this.positions = new QueryPositions(scope.at('query_position'), config);
  }

  /**
   * Selects the boxes from which the queries start.
   *
   * @param imageMemory (B, h·w, D)
   * @param padding (B, h, w), true on padding
   * @param ranks (Q, D) learned part of the contents, by rank of the candidate
   * @param boxes what the box layer of the encoder head means; by default distances from the centers of the cells
   */
  select(
    imageMemory: Tensor,
    padding: Tensor,
    ranks: Tensor,
    boxes: CellBoxes = boxesAround(cellCenters(padding)),
  ): QueryStart {
    const { num_queries: count, selection_suppression: maxIou, hidden_dim: features } = this.config;
    const cells = this.head.forward(imageMemory, boxes);
    const { boxesCxcywh, indices } = selectCandidates(candidatesOf(cells, mergeAxes(padding, 1, 2)), count, maxIou);
    const learned = reshape(ranks, [1, count, features]);
    if (this.content === undefined) return { cells, boxesCxcywh, content: learned };
    // A part of the weights for each cell: what a position shows may be several objects.
    const contents = splitCells(this.content.linear.forward(stopGradient(imageMemory)), features);
    return { cells, boxesCxcywh, content: add(learned, this.content.norm.forward(gatherRows(contents, indices))) };
  }
}

/** Range of the coordinates whose inverse sigmoid is taken. */
const [LOWEST, HIGHEST] = [0.001, 0.999];

/** Logits of boxes (…, 4) with coordinates in (0, 1): σ⁻¹(p) = log(p / (1 − p)). */
export const boxLogits = (boxes: Tensor): Tensor => {
  const inside = clamp(boxes, LOWEST, HIGHEST);
  return sub(log(inside), log(sub(scalar(1), inside)));
};
