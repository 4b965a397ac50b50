import type { Tensor } from '../engine/graph/index.ts';
import { lookUp } from '../engine/ops/index.ts';
import { normal, type Initializer } from './init.ts';
import type { Scope } from './scope.ts';

/** Embedding table: indices (…) → (…, features). Row `paddingIndex` is never trained. */
export class Embedding {
  readonly weight: Tensor;

  constructor(
    scope: Scope,
    rows: number,
    features: number,
    init: Initializer = normal(1),
    private readonly paddingIndex?: number,
  ) {
    this.weight = scope.parameter('weight', [rows, features], init);
  }

  forward(indices: Tensor): Tensor {
    return lookUp(this.weight, indices, this.paddingIndex);
  }
}
