import type { Tensor } from '../engine/graph/index.ts';
import { conv, type ConvOptions } from '../engine/ops/index.ts';
import { torchDefaultBias, torchDefaultWeight, type Initializer } from './init.ts';
import type { Scope } from './scope.ts';

/** Options of a convolution layer. */
export interface ConvLayerOptions extends ConvOptions {
  readonly bias?: boolean;
  readonly init?: Initializer;
  readonly biasInit?: Initializer;
}

/** 2-D convolution layer: (B, in, H, W) → (B, out, h, w). */
export class Conv {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(
    scope: Scope,
    inputs: number,
    outputs: number,
    kernel: number,
    private readonly options: ConvLayerOptions = {},
  ) {
    const perGroup = inputs / (options.groups ?? 1);
    this.weight = scope.parameter('weight', [outputs, perGroup, kernel, kernel], options.init ?? torchDefaultWeight);
    if (options.bias !== false)
      this.bias = scope.parameter('bias', [outputs], options.biasInit ?? torchDefaultBias(perGroup * kernel * kernel));
  }

  forward(x: Tensor): Tensor {
    return conv(x, this.weight, this.options, this.bias);
  }
}
