import type { Dim, Tensor } from '../../engine/graph/index.ts';
import {
  add,
  cast,
  concat,
  div,
  expand,
  iota,
  literal,
  maximum,
  mergeAxes,
  mul,
  not,
  reshape,
  sigmoid,
  slice,
  splitAxis,
  squeeze,
  sub,
  sum,
} from '../../engine/ops/index.ts';
import { fillWith, Linear, type Scope } from '../../nn/index.ts';
import { SOFT_TOKENS } from '../../text/soft-tokens.ts';
import { textEncoderConfig, type ModelConfig } from '../config.ts';

/** Cells of a position: 2 × 2, row by row. */
export const CELLS_PER_POSITION = 4;

/** Predictions for every cell of the encoder's image output. N is the number of cells, h·w·4. */
export interface CellPredictions {
  /** (B, N, slots + 1): logits of the tokens that refer to the object that a cell shows; the last one is "no object". */
  readonly tokenLogits: Tensor;
  /** (B, N, 4) box of that object in xyxy format, relative to the image without padding; may extend beyond it. */
  readonly boxesXyxy: Tensor;
}

/** Turns the four outputs of a box head for every cell, (…, 4), into boxes in xyxy format. */
export type CellBoxes = (outputs: Tensor) => Tensor;

/** Boxes from logits of the distances to the left, top, right and bottom side from `centers` (…, 2). */
export const boxesAround =
  (centers: Tensor): CellBoxes =>
  (outputs) => {
    const reach = sigmoid(outputs);
    return concat([sub(centers, slice(reach, -1, 0, 2)), add(centers, slice(reach, -1, 2, 4))], -1);
  };

/** Layer that predicts the box of every cell. Its distances start small: σ(−2) is an eighth of the image. */
export const cellBoxLayer = (scope: Scope, inputs: number): Linear =>
  new Linear(scope.at('box'), inputs, CELLS_PER_POSITION * 4, { biasInit: fillWith(-2) });

/** (B, h·w, 4 · length) → (B, h·w·4, length) */
export const splitCells = (x: Tensor, length: number): Tensor =>
  mergeAxes(splitAxis(x, 2, [CELLS_PER_POSITION, length]), 1, 2);

/** Number of valid rows and columns of a padding mask (B, h, w), true on padding → (B, 2) as (columns, rows), at least 1. */
export const validSize = (padding: Tensor): Tensor => {
  const valid = cast(not(padding), 'float32');
  const columns = sum(squeeze(slice(valid, 1, 0, 1), 1), [1], { keepDims: true });
  const rows = sum(squeeze(slice(valid, 2, 0, 1), 2), [1], { keepDims: true });
  return maximum(concat([columns, rows], 1), 1);
};

/**
 * Centers (B, h·w·4, 2) of all cells as (x, y), relative to the image without padding. As in the sine position encoding, a
 * position that the image covers in part counts in full.
 *
 * @param padding (B, h, w), true on padding
 */
export const cellCenters = (padding: Tensor): Tensor => {
  const [batch, height, width] = padding.shape as [Dim, Dim, Dim];
  const grid = [height, width, CELLS_PER_POSITION] as const;
  const column = add(reshape(iota(width, 'float32'), [1, width, 1]), literal([0.25, 0.75, 0.25, 0.75], [1, 1, 4]));
  const row = add(reshape(iota(height, 'float32'), [height, 1, 1]), literal([0.25, 0.25, 0.75, 0.75], [1, 1, 4]));
  const flat = (x: Tensor): Tensor => reshape(expand(x, grid), [1, height, width, CELLS_PER_POSITION, 1]);
  const inPositions = mergeAxes(concat([flat(column), flat(row)], 4), 1, 3); // (1, h·w·4, 2)
  return div(inPositions, reshape(validSize(padding), [batch, 1, 2]));
};

/**
 * Head on the encoder's image output: for every cell the tokens that refer to what it shows, and its box. In training it is
 * an auxiliary head; with `query_selection` it belongs to the network and proposes where the decoder's queries start.
 */
export class EncoderHead {
  private readonly tokens: Linear;
  private readonly box: Linear;
  /** Number of slots of tokens that captions can have. */
  readonly slots: number;

  constructor(scope: Scope, config: ModelConfig) {
    this.slots = Math.min(SOFT_TOKENS, textEncoderConfig(config).max_position_embeddings - 2);
    this.tokens = new Linear(scope.at('tokens'), config.hidden_dim, CELLS_PER_POSITION * (this.slots + 1));
    this.box = cellBoxLayer(scope, config.hidden_dim);
  }

  /** imageMemory (B, h·w, D); `boxes` turns the outputs (B, h·w·4, 4) of the box layer into boxes. */
  forward(imageMemory: Tensor, boxes: CellBoxes): CellPredictions {
    return {
      tokenLogits: splitCells(this.tokens.forward(imageMemory), this.slots + 1),
      boxesXyxy: boxes(splitCells(this.box.forward(imageMemory), 4)),
    };
  }
}

/** Area of boxes (…, 4) in xyxy format, 0 for inverted ones → (…). */
export const areaOfXyxy = (boxes: Tensor): Tensor => {
  const extent = maximum(sub(slice(boxes, -1, 2, 4), slice(boxes, -1, 0, 2)), 0);
  return squeeze(mul(slice(extent, -1, 0, 1), slice(extent, -1, 1, 2)), -1);
};
