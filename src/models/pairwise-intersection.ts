import type { Tensor } from '../engine/graph/index.ts';
import { maximum, minimum, mul, relu, slice, sub, swapLastTwo } from '../engine/ops/index.ts';

/** (B, N, N) area of the intersection of all pairs of boxes (B, N, 4) in xyxy format. */
export const pairwiseIntersection = (boxesXyxy: Tensor): Tensor => {
  const extent = (axis: number): Tensor => {
    const [low, high] = [slice(boxesXyxy, 2, axis, axis + 1), slice(boxesXyxy, 2, axis + 2, axis + 3)]; // (B, N, 1)
    return relu(sub(minimum(high, swapLastTwo(high)), maximum(low, swapLastTwo(low))));
  };
  return mul(extent(0), extent(1));
};
