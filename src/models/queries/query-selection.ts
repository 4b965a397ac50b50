import type { Tensor } from '../../engine/graph/index.ts';
import {
  add,
  clamp,
  concat,
  div,
  log,
  mergeAxes,
  mul,
  reshape,
  scalar,
  slice,
  split,
  sub,
  unsqueeze,
} from '../../engine/ops/index.ts';
import { LayerNorm, Linear, Mlp, type Scope } from '../../nn/index.ts';
import type { ModelConfig } from '../config.ts';
import { sineCodes } from '../position-encoding.ts';
import { candidatesOf, selectCandidates } from './candidates.ts';
import {
  boxesAround,
  cellCenters,
  EncoderHead,
  validSize,
  type CellBoxes,
  type CellPredictions,
} from './encoder-head.ts';

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
  private readonly position: Mlp;

  constructor(
    scope: Scope,
    private readonly config: ModelConfig,
  ) {
    const { hidden_dim: features } = config;
    this.head = new EncoderHead(scope.at('encoder_head'), config);
    this.content =
      config.query_selection === 'features'
        ? {
            linear: new Linear(scope.at('query_content').at('linear'), features, features),
            norm: new LayerNorm(scope.at('query_content').at('norm'), features),
          }
        : undefined;
    this.position = new Mlp(scope.at('query_position'), 2 * features, features, features, 2);
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
    const { num_queries: count, selection_suppression: maxIou } = this.config;
    const cells = this.head.forward(imageMemory, boxes);
    const candidates = candidatesOf(cells, imageMemory, mergeAxes(padding, 1, 2));
    const { boxesCxcywh, features } = selectCandidates(candidates, count, maxIou);
    const learned = reshape(ranks, [1, count, this.config.hidden_dim]);
    const content = this.content && this.content.norm.forward(this.content.linear.forward(features));
    return { cells, boxesCxcywh, content: content === undefined ? learned : add(learned, content) };
  }

  /**
   * Position embeddings of queries from their boxes (DAB-DETR, arXiv:2201.12329): an MLP of their codes → (B, Q, D).
   *
   * @param boxesCxcywh (B, Q, 4)
   * @param padding (B, h, w), true on padding
   */
  positions(boxesCxcywh: Tensor, padding: Tensor): Tensor {
    const { hidden_dim: features, position_temperature: temperature } = this.config;
    return this.position.forward(boxCodes(boxesCxcywh, padding, features / 2, temperature));
  }
}

/**
 * Sine codes of y, x, width and height of boxes (B, Q, 4), cxcywh → (B, Q, 4 · features). A box centered on a position has
 * the codes of that position in `SinePositionEncoding`.
 *
 * @param padding (B, h, w), true on padding
 */
export const boxCodes = (boxesCxcywh: Tensor, padding: Tensor, features: number, temperature: number): Tensor => {
  // The code of position i of n is that of (i + 1) / n, and its center is at (i + 0.5) / n.
  const shift = div(scalar(0.5), unsqueeze(validSize(padding), 1)); // (B, 1, 2)
  const [x, y] = split(add(slice(boxesCxcywh, 2, 0, 2), shift), 2, [1, 1]);
  const [width, height] = split(slice(boxesCxcywh, 2, 2, 4), 2, [1, 1]);
  const ordered = mul(concat([y!, x!, width!, height!], 2), 2 * Math.PI);
  return mergeAxes(sineCodes(ordered, features, temperature), 2, 3);
};

/** Range of the coordinates whose inverse sigmoid is taken. */
const [LOWEST, HIGHEST] = [0.001, 0.999];

/** Logits of boxes (…, 4) with coordinates in (0, 1): σ⁻¹(p) = log(p / (1 − p)). */
export const boxLogits = (boxes: Tensor): Tensor => {
  const inside = clamp(boxes, LOWEST, HIGHEST);
  return sub(log(inside), log(sub(scalar(1), inside)));
};
