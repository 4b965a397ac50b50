/** Precision in which values are exchanged. */
export type Precision = 'float32' | 'bfloat16';

/** The float32 values as integers, in the same memory. */
const bitsOf = ({ buffer, byteOffset, length }: Float32Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length);

/**
 * Bits of a float32 whose upper half is its bfloat16: the nearest one, with an even last bit between two. The lower half has no
 * meaning.
 */
const roundedBits = (bits: number): number => {
  if ((bits & 0x7f800000) !== 0x7f800000) return bits + 0x7fff + ((bits >>> 16) & 1);
  // Infinities have nothing to round; the upper half of a NaN must not become that of an infinity.
  return (bits & 0x7fffff) === 0 ? bits : bits | 0x400000;
};

/** Rounds values to bfloat16, in place: to the nearest, and to an even last bit between two. NaN stays NaN. */
export const roundToBfloat16 = (values: Float32Array): void => {
  const bits = bitsOf(values);
  for (let index = 0; index < bits.length; index++) bits[index] = roundedBits(bits[index]!) & 0xffff0000;
};

/** Packs values into the upper halves of their bits, rounded as by `roundToBfloat16`. */
export const packBfloat16 = (values: Float32Array, packed: Uint16Array): void => {
  const bits = bitsOf(values);
  for (let index = 0; index < bits.length; index++) packed[index] = roundedBits(bits[index]!) >>> 16;
};

/** Unpacks the values that `packBfloat16` has packed. */
export const unpackBfloat16 = (packed: Uint16Array, values: Float32Array): void => {
  const bits = bitsOf(values);
  for (let index = 0; index < packed.length; index++) bits[index] = packed[index]! << 16;
};
