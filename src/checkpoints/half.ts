/**
 * Lookup table of all 65,536 IEEE 754 binary16 values. Several times faster than decoding each value; takes 256 KB and is
 * built on first use.
 */
let float16Table: Float32Array | undefined;

const buildFloat16Table = (): Float32Array => {
  const bits = new Uint32Array(0x10000);
  const table = new Float32Array(bits.buffer);
  for (let half = 0; half < 0x10000; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      table[half] = fraction * 2 ** -24;
      bits[half] = (bits[half]! | sign) >>> 0;
    } else {
      const wideExponent = exponent === 0x1f ? 0xff : exponent + 112;
      bits[half] = (sign | (wideExponent << 23) | (fraction << 13)) >>> 0;
    }
  }
  return table;
};

/** Converts half floats, given as their bits, to 32-bit floats. Exact. */
export const float16ToFloat32 = (halves: Uint16Array): Float32Array => {
  const table = (float16Table ??= buildFloat16Table());
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]!]!;
  return out;
};

/** Converts bfloat16 values, given as their bits, to 32-bit floats, of which they are the upper half. Exact. */
export const bfloat16ToFloat32 = (halves: Uint16Array): Float32Array => {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
};

/** The largest half float. */
export const LARGEST_FLOAT16 = 65_504;

/** Converts 32-bit floats to the bits of half floats, rounding to nearest even. Overflow becomes infinity. */
export const float32ToFloat16 = (values: Float32Array): Uint16Array => {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fff_ffff;
    let half: number;
    if (magnitude >= 0x7f80_0000) {
      half = magnitude > 0x7f80_0000 ? 0x7e00 | ((magnitude >> 13) & 0x3ff) : 0x7c00;
    } else if (magnitude >= 0x3880_0000) {
      // Normal: rebias the exponent by 112 and round off 13 bits, ties to even. A carry increments the exponent.
      half = Math.min(0x7c00, (magnitude - 0x3800_0000 + 0xfff + ((magnitude >> 13) & 1)) >>> 13);
    } else if (magnitude < 0x3300_0000) {
      half = 0;
    } else {
      // Subnormal: shift the explicit leading one into position and round off the lost bits, ties to even.
      const shift = 126 - (magnitude >>> 23);
      const mantissa = 0x80_0000 | (magnitude & 0x7f_ffff);
      const kept = mantissa >>> shift;
      const rest = mantissa & ((1 << shift) - 1);
      const tie = 1 << (shift - 1);
      half = kept + (rest > tie || (rest === tie && (kept & 1) === 1) ? 1 : 0);
    }
    out[i] = sign | half;
  }
  return out;
};
