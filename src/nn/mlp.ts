import type { Tensor } from '../engine/graph/index.ts';
import { relu } from '../engine/ops/index.ts';
import type { Initializer } from './init.ts';
import { Linear } from './linear.ts';
import type { Scope } from './scope.ts';

/** Multi-layer perceptron: linear layers with ReLU between them. */
export class Mlp {
  private readonly layers: readonly Linear[];

  /** @param options.lastInit initial weights and biases of the last layer */
  constructor(
    scope: Scope,
    inputs: number,
    hidden: number,
    outputs: number,
    depth: number,
    { lastInit }: { readonly lastInit?: Initializer | undefined } = {},
  ) {
    const sizes = [inputs, ...Array.from({ length: depth - 1 }, () => hidden), outputs];
    this.layers = Array.from(
      { length: depth },
      (_, index) =>
        new Linear(
          scope.at('layers').at(index),
          sizes[index]!,
          sizes[index + 1]!,
          index === depth - 1 && lastInit !== undefined ? { init: lastInit, biasInit: lastInit } : {},
        ),
    );
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce((value, layer, index) => layer.forward(index === 0 ? value : relu(value)), x);
  }
}
