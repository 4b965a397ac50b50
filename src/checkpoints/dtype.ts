import { bfloat16ToFloat32, float16ToFloat32 } from './half.ts';

/** Element types of weight files, named as in the safetensors format, in lower case. */
export type CheckpointDtype =
  'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u64' | 'u32' | 'u16' | 'u8' | 'bool';

const BYTES_PER_ELEMENT: Readonly<Record<CheckpointDtype, number>> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u64: 8,
  u32: 4,
  u16: 2,
  u8: 1,
  bool: 1,
};

/** All dtypes, widest first. */
export const CHECKPOINT_DTYPES = Object.keys(BYTES_PER_ELEMENT) as readonly CheckpointDtype[];

/** Size of one element in bytes. */
export const bytesPerElement = (dtype: CheckpointDtype): number => BYTES_PER_ELEMENT[dtype];

/** Number of elements of a shape; `undefined` if it exceeds the safe integers. */
export const elementCount = (shape: readonly number[]): number | undefined => {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
};

/** The same bytes, copied only if they are not aligned for a typed array of this element size. */
const aligned = (bytes: Uint8Array, size: number): Uint8Array =>
  bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);

/** Converts 64-bit integers to 32-bit floats without a BigInt per element: high word × 2³² + low word. */
const int64ToFloat32 = (bytes: Uint8Array, signed: boolean): Float32Array => {
  const count = bytes.byteLength / 8;
  const low = new Uint32Array(bytes.buffer, bytes.byteOffset, count * 2);
  const high = signed ? new Int32Array(bytes.buffer, bytes.byteOffset, count * 2) : low;
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = high[2 * i + 1]! * 0x1_0000_0000 + low[2 * i]!;
  return out;
};

/**
 * Converts little-endian contents to 32-bit floats. For `f32` the result is a view of `bytes` if they are aligned.
 * The length of `bytes` must be a multiple of the element size.
 */
export const toFloat32 = (bytes: Uint8Array, dtype: CheckpointDtype): Float32Array => {
  const size = bytesPerElement(dtype);
  if (bytes.byteLength % size !== 0)
    throw new Error(`internal: ${bytes.byteLength} bytes are not a multiple of the size of ${dtype}`);
  const count = bytes.byteLength / size;
  const { buffer, byteOffset } = aligned(bytes, size);
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer, byteOffset, count);
    case 'f16':
      return float16ToFloat32(new Uint16Array(buffer, byteOffset, count));
    case 'bf16':
      return bfloat16ToFloat32(new Uint16Array(buffer, byteOffset, count));
    case 'f64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    case 'i64':
    case 'u64':
      return int64ToFloat32(new Uint8Array(buffer, byteOffset, bytes.byteLength), dtype === 'i64');
    case 'i32':
      return Float32Array.from(new Int32Array(buffer, byteOffset, count));
    case 'u32':
      return Float32Array.from(new Uint32Array(buffer, byteOffset, count));
    case 'i16':
      return Float32Array.from(new Int16Array(buffer, byteOffset, count));
    case 'u16':
      return Float32Array.from(new Uint16Array(buffer, byteOffset, count));
    case 'i8':
      return Float32Array.from(new Int8Array(buffer, byteOffset, count));
    case 'u8':
      return Float32Array.from(bytes);
    case 'bool':
      return Float32Array.from(bytes, (byte) => (byte === 0 ? 0 : 1));
  }
};
