import type { Tensor } from '../engine/graph/index.ts';

/** Dropout function of a trace: the identity at inference; in training it zeroes a fraction `rate` and scales the rest. */
export type Dropout = (x: Tensor, rate: number) => Tensor;

export const noDropout: Dropout = (x) => x;
