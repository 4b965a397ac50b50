import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesPerElement, CHECKPOINT_DTYPES, type CheckpointDtype, elementCount, toFloat32 } from './dtype.ts';
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from './half.ts';

/** Decodes binary16 by its definition. */
const halfByDefinition = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};

const allHalves = Uint16Array.from({ length: 0x10000 }, (_, i) => i);

describe('half floats', () => {
  it('converts all 65,536 values to float32 exactly', () => {
    const wide = float16ToFloat32(allHalves);
    expect(Array.from(wide)).toEqual(Array.from(allHalves, halfByDefinition));
  });

  it('converts every value back to itself, NaN to NaN', () => {
    const back = float32ToFloat16(float16ToFloat32(allHalves));
    for (const bits of allHalves) {
      if (Number.isNaN(halfByDefinition(bits))) expect(halfByDefinition(back[bits]!)).toBeNaN();
      else if (back[bits] !== bits) expect.fail(`${bits} became ${String(back[bits])}`);
    }
  });

  it('rounds to the nearest half float, ties to even', () => {
    const finite = Array.from(allHalves).filter((bits) => bits < 0x7c00);
    const values = finite.map(halfByDefinition);
    const middles: number[] = [];
    const expected: number[] = [];
    for (let i = 0; i + 1 < finite.length; i++) {
      const middle = (values[i]! + values[i + 1]!) / 2; // exact in float32
      const step = middle * 2 ** -23;
      middles.push(middle, middle - step, middle + step, -middle);
      const even = finite[i]! % 2 === 0 ? finite[i]! : finite[i]! + 1;
      expected.push(even, finite[i]!, finite[i]! + 1, even | 0x8000);
    }
    expect(Array.from(float32ToFloat16(Float32Array.from(middles)))).toEqual(expected);
  });

  it('overflows to infinity from 65,520 on, and underflows to zero', () => {
    const narrowed = float32ToFloat16(Float32Array.of(65519.99, 65520, -1e30, 2 ** -25, 2 ** -25 * 1.0001, -1e-40));
    expect(Array.from(narrowed)).toEqual([0x7bff, 0x7c00, 0xfc00, 0, 1, 0x8000]);
  });

  it('converts bfloat16 by appending zero bits', () => {
    expect(Array.from(bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xbfc0, 0x7f80, 0x8000, 0x4049)))).toEqual([
      1,
      -1.5,
      Infinity,
      -0,
      3.140625,
    ]);
  });
});

describe('toFloat32', () => {
  const bytesOf = (array: { readonly buffer: ArrayBufferLike }): Uint8Array => new Uint8Array(array.buffer);
  const cases: Readonly<Record<CheckpointDtype, readonly [Uint8Array, readonly number[]]>> = {
    f64: [bytesOf(Float64Array.of(1.5, -1e300, 0.1)), [1.5, -Infinity, Math.fround(0.1)]],
    f32: [bytesOf(Float32Array.of(1.5, -2)), [1.5, -2]],
    f16: [bytesOf(Uint16Array.of(0x3c00, 0xc000)), [1, -2]],
    bf16: [bytesOf(Uint16Array.of(0x3f80, 0xc000)), [1, -2]],
    i64: [bytesOf(BigInt64Array.of(-1n, 2n ** 40n, -(2n ** 63n))), [-1, 2 ** 40, -(2 ** 63)]],
    u64: [bytesOf(BigUint64Array.of(1n, 2n ** 63n)), [1, 2 ** 63]],
    i32: [bytesOf(Int32Array.of(-5, 2 ** 30)), [-5, 2 ** 30]],
    u32: [bytesOf(Uint32Array.of(5, 2 ** 31)), [5, 2 ** 31]],
    i16: [bytesOf(Int16Array.of(-32768, 7)), [-32768, 7]],
    u16: [bytesOf(Uint16Array.of(65535, 7)), [65535, 7]],
    i8: [bytesOf(Int8Array.of(-128, 127)), [-128, 127]],
    u8: [Uint8Array.of(0, 255), [0, 255]],
    bool: [Uint8Array.of(0, 1, 7), [0, 1, 1]],
  };

  it.each(CHECKPOINT_DTYPES)('%s, at any alignment', (dtype) => {
    const [bytes, expected] = cases[dtype];
    expect(Array.from(toFloat32(bytes, dtype))).toEqual(expected);
    const shifted = new Uint8Array(bytes.byteLength + 1).subarray(1);
    shifted.set(bytes);
    expect(Array.from(toFloat32(shifted, dtype))).toEqual(expected);
    expect(bytes.byteLength).toBe(expected.length * bytesPerElement(dtype));
  });

  it('returns a view for f32', () => {
    const bytes = new Uint8Array(8);
    expect(toFloat32(bytes, 'f32').buffer).toBe(bytes.buffer);
  });

  it('converts 64-bit integers as Number() does', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (values) => {
        const bytes = new Uint8Array(BigInt64Array.from(values).buffer);
        expect(Array.from(toFloat32(bytes, 'i64'))).toEqual(values.map((value) => Math.fround(Number(value))));
      }),
    );
  });

  it('reports an incomplete element as an internal error', () => {
    expect(() => toFloat32(new Uint8Array(3), 'f16')).toThrow(/internal/);
  });
});

describe('elementCount', () => {
  it('multiplies the sizes, including scalars, zeros and products beyond 2^53', () => {
    expect(elementCount([])).toBe(1);
    expect(elementCount([2, 3, 4])).toBe(24);
    expect(elementCount([2 ** 52, 2 ** 52, 0])).toBe(0);
    expect(elementCount([2 ** 30, 2 ** 30])).toBeUndefined();
  });
});
