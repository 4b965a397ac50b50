import type { Tensor } from '../engine/graph/index.ts';
import { add, groupNorm, layerNorm, mul, neg, reshape, rsqrt } from '../engine/ops/index.ts';
import { ones, zeros } from './init.ts';
import type { Scope } from './scope.ts';

/** Layer norm over the last axis. */
export class LayerNorm {
  private readonly weight: Tensor;
  private readonly bias: Tensor;

  constructor(
    scope: Scope,
    features: number,
    private readonly epsilon = 1e-5,
  ) {
    this.weight = scope.parameter('weight', [features], ones);
    this.bias = scope.parameter('bias', [features], zeros);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.epsilon);
  }
}

/** Group norm (arXiv:1803.08494): x (B, C, h, w). */
export class GroupNorm {
  private readonly weight: Tensor;
  private readonly bias: Tensor;

  constructor(
    scope: Scope,
    private readonly groups: number,
    channels: number,
  ) {
    this.weight = scope.parameter('weight', [channels], ones);
    this.bias = scope.parameter('bias', [channels], zeros);
  }

  forward(x: Tensor): Tensor {
    return groupNorm(x, this.groups, this.weight, this.bias, 1e-5);
  }
}

/** Batch norm with fixed statistics: a scale and a shift per channel. All four tensors are buffers. */
export class FrozenBatchNorm {
  private readonly weight: Tensor;
  private readonly bias: Tensor;
  private readonly runningMean: Tensor;
  private readonly runningVar: Tensor;

  constructor(
    scope: Scope,
    private readonly channels: number,
  ) {
    this.weight = scope.buffer('weight', [channels], ones);
    this.bias = scope.buffer('bias', [channels], zeros);
    this.runningMean = scope.buffer('running_mean', [channels], zeros);
    this.runningVar = scope.buffer('running_var', [channels], ones);
  }

  /**
   * Folds the norm into the filter of the convolution before it: y = conv(x, W·s) + (b − μ·s). Scaling the filter is free
   * at inference, and cheaper than scaling the activations in training.
   */
  fold(filter: Tensor): { readonly filter: Tensor; readonly bias: Tensor } {
    const scale = mul(this.weight, rsqrt(add(this.runningVar, 1e-5)));
    return {
      filter: mul(filter, reshape(scale, [this.channels, 1, 1, 1])),
      bias: add(this.bias, neg(mul(this.runningMean, scale))),
    };
  }
}
