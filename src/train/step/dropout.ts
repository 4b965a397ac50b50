import type { Dim, Tensor } from '../../engine/graph/index.ts';
import { mulDims } from '../../engine/graph/index.ts';
import type { Dropout } from '../../nn/index.ts';
import { GOLDEN_RATIO, LOWBIAS } from '../../random/mixing.ts';
import { add, bitXor, cast, greaterEqual, iota, mul, reshape, scalar, shiftRight } from '../../engine/ops/index.ts';

/** `lowbiasMix` of every element. */
const mix = (x: Tensor): Tensor => {
  const { shifts, multipliers } = LOWBIAS;
  const first = mul(bitXor(x, shiftRight(x, shifts[0])), scalar(multipliers[0], 'uint32'));
  const second = mul(bitXor(first, shiftRight(first, shifts[1])), scalar(multipliers[1], 'uint32'));
  return bitXor(second, shiftRight(second, shifts[2]));
};

/** As many random odd numbers. */
const oddNumbers = (count: Dim, stream: Tensor): Tensor =>
  add(mul(mix(bitXor(cast(iota(count), 'uint32'), stream)), scalar(2, 'uint32')), scalar(1, 'uint32'));

/**
 * Dropout whose masks follow from a seed, the place in the network and the element's index alone: the same step drops
 * the same values again, after a resume and when the backward pass computes the mask anew instead of keeping it.
 *
 * An element's random number is the product, modulo 2³², of its row's and its column's odd random numbers: mixing bits for
 * every element took a sixth of a small network's forward pass. Rows, columns and squares of elements of such masks are
 * as little correlated as those of independent ones (dropout.test.ts).
 *
 * @param seed uint32 without axes, another one every step
 */
export const seededDropout = (seed: Tensor): Dropout => {
  let place = 0;
  const nextStream = (): Tensor => mix(add(seed, scalar((++place * GOLDEN_RATIO) >>> 0, 'uint32')));
  return (x, rate) => {
    if (rate === 0) return x;
    const [rows, columns] = [mulDims(...x.shape.slice(0, -1)), x.shape.at(-1) ?? 1];
    const ofRows = reshape(oddNumbers(rows, nextStream()), [...x.shape.slice(0, -1), 1]);
    const bits = mul(ofRows, oddNumbers(columns, nextStream()));
    const keeps = greaterEqual(bits, scalar(Math.round(rate * 2 ** 32), 'uint32'));
    return mul(x, mul(cast(keeps, 'float32'), 1 / (1 - rate)));
  };
};
