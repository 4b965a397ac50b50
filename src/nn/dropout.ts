import type { Shape, Tensor } from '../engine/graph/index.ts';

/** Dropout of a trace: the identity at inference; in training it zeroes a fraction `rate` and scales the rest. */
export interface Dropout {
  /** Applies dropout to a tensor. */
  (x: Tensor, rate: number): Tensor;
  /** Factors of the values of a tensor of this shape: 0, or 1 / (1 − rate); `undefined` if nothing is dropped. */
  mask(shape: Shape, rate: number): Tensor | undefined;
}

/** Dropout that keeps all elements, for inference. */
export const noDropout: Dropout = Object.assign((x: Tensor) => x, { mask: () => undefined });
