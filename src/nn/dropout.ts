import type { Tensor } from '../engine/graph/index.ts';

/** How a trace drops values: inference keeps them all, training zeroes a share `rate` and scales the rest up. */
export type Dropout = (x: Tensor, rate: number) => Tensor;

export const noDropout: Dropout = (x) => x;
