import type { Tensor } from '../../engine/graph/index.ts';
import { add, concat, div, mergeAxes, mul, scalar, slice, split, unsqueeze } from '../../engine/ops/index.ts';
import { Mlp, type Scope } from '../../nn/index.ts';
import type { ModelConfig } from '../config.ts';
import { sineCodes } from '../position-encoding.ts';
import { validSize } from './encoder-head.ts';

/** Position embeddings of queries from their boxes (DAB-DETR, arXiv:2201.12329): an MLP of the boxes' codes. */
export class QueryPositions {
  private readonly mlp: Mlp;

  constructor(
    scope: Scope,
    private readonly config: ModelConfig,
  ) {
    const { hidden_dim: features } = config;
    this.mlp = new Mlp(scope, 2 * features, features, features, 2);
  }

  /**
   * boxesCxcywh (B, Q, 4) → (B, Q, D)
   *
   * @param padding (B, h, w), true on padding
   */
  forward(boxesCxcywh: Tensor, padding: Tensor): Tensor {
    const { hidden_dim: features, position_temperature: temperature } = this.config;
    return this.mlp.forward(boxCodes(boxesCxcywh, padding, features / 2, temperature));
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
