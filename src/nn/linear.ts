import { linear, mul } from '../engine/ops/index.ts';
import type { Tensor } from '../engine/graph/index.ts';
import { torchDefaultBias, torchDefaultWeight, type Initializer } from './init.ts';
import type { Scope } from './scope.ts';

/** Linear layer, x Wᵀ + b over the last axis: (…, in) → (…, out). */
export class Linear {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(
    scope: Scope,
    inputs: number,
    outputs: number,
    options: { readonly bias?: boolean; readonly init?: Initializer; readonly biasInit?: Initializer } = {},
  ) {
    this.weight = scope.parameter('weight', [outputs, inputs], options.init ?? torchDefaultWeight);
    this.bias =
      options.bias === false
        ? undefined
        : scope.parameter('bias', [outputs], options.biasInit ?? torchDefaultBias(inputs));
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  /** The output times a factor, at the price of scaling the weights. */
  scaled(x: Tensor, factor: number): Tensor {
    return linear(x, mul(this.weight, factor), this.bias === undefined ? undefined : mul(this.bias, factor));
  }
}
