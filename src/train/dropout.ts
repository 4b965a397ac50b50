import type { Tensor } from '../graph/index.ts';
import { sizeOf } from '../graph/index.ts';
import type { Dropout } from '../nn/index.ts';
import { add, bitXor, cast, greaterEqual, iota, mul, reshape, scalar, shiftRight } from '../ops/index.ts';

/** One round of a 32-bit mixing function (lowbias32 by Wellons): every input bit reaches every output bit. */
const mix = (x: Tensor): Tensor => {
  const first = mul(bitXor(x, shiftRight(x, 16)), scalar(0x21f0aaad, 'uint32'));
  const second = mul(bitXor(first, shiftRight(first, 15)), scalar(0x735a2d97, 'uint32'));
  return bitXor(second, shiftRight(second, 15));
};

/**
 * Dropout whose masks follow from a seed, the place in the network and the element's index alone: the same step drops
 * the same values again, after a resume and when the backward pass computes the mask anew instead of keeping it.
 *
 * @param seed uint32 without axes, another one every step
 */
export const seededDropout = (seed: Tensor): Dropout => {
  let place = 0;
  return (x, rate) => {
    if (rate === 0) return x;
    const count = sizeOf(x.shape);
    const stream = mix(add(seed, scalar((++place * 0x9e3779b9) >>> 0, 'uint32')));
    const bits = mix(bitXor(cast(iota(count), 'uint32'), stream));
    const keeps = greaterEqual(bits, scalar(Math.round(rate * 2 ** 32), 'uint32'));
    return mul(x, mul(reshape(cast(keeps, 'float32'), x.shape), 1 / (1 - rate)));
  };
};
