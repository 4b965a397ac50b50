import { type Dim, type Shape, type Tensor, mulDims } from '../../engine/graph/index.ts';
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

/** Random odd integers, (count). */
const oddIntegers = (count: Dim, stream: Tensor): Tensor =>
  add(mul(mix(bitXor(cast(iota(count), 'uint32'), stream)), scalar(2, 'uint32')), scalar(1, 'uint32'));

/**
 * Dropout whose masks are a function of a seed, the position of the layer in the network, and the element's index. The
 * same step drops the same values after a resume, and when the backward pass recomputes the mask instead of saving it.
 *
 * The random bits of an element are the product, modulo 2³², of random odd integers of its row and its column: mixing the
 * bits of every element took a sixth of the forward pass of a small network. Rows, columns and squares of elements are as
 * little correlated as in independent masks (dropout.test.ts).
 *
 * @param seed uint32 scalar, different in every step
 */
export const seededDropout = (seed: Tensor): Dropout => {
  let layer = 0;
  const nextStream = (): Tensor => mix(add(seed, scalar((++layer * GOLDEN_RATIO) >>> 0, 'uint32')));
  const mask = (shape: Shape, rate: number): Tensor | undefined => {
    if (rate === 0) return undefined;
    const [rows, columns] = [mulDims(...shape.slice(0, -1)), shape.at(-1) ?? 1];
    const ofRows = reshape(oddIntegers(rows, nextStream()), [...shape.slice(0, -1), 1]);
    const bits = mul(ofRows, oddIntegers(columns, nextStream()));
    const keeps = greaterEqual(bits, scalar(Math.round(rate * 2 ** 32), 'uint32'));
    return mul(cast(keeps, 'float32'), 1 / (1 - rate));
  };
  const dropout = (x: Tensor, rate: number): Tensor => {
    const factors = mask(x.shape, rate);
    return factors === undefined ? x : mul(x, factors);
  };
  return Object.assign(dropout, { mask });
};
