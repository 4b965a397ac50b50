/** Element types of tensors. */
export type DType = 'float32' | 'float64' | 'float16' | 'int64' | 'int32' | 'uint32' | 'int8' | 'uint8' | 'bool';

/** Typed array of each element type on the host: `float16` as raw bits, `bool` as bytes 0 and 1. */
export interface HostArrays {
  /** Single precision. */
  float32: Float32Array;
  /** Double precision. */
  float64: Float64Array;
  /** Bits of half-precision numbers. */
  float16: Uint16Array;
  /** Signed, 64 bits. */
  int64: BigInt64Array;
  /** Signed, 32 bits. */
  int32: Int32Array;
  /** Unsigned, 32 bits. */
  uint32: Uint32Array;
  /** Signed, 8 bits. */
  int8: Int8Array;
  /** Unsigned, 8 bits. */
  uint8: Uint8Array;
  /** 0 or 1 per element. */
  bool: Uint8Array;
}

/** Array of any element type. */
export type HostArray = HostArrays[DType];

/** Typed array constructor of each element type. */
export const hostArrays: {
  readonly [K in DType]: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => HostArrays[K];
} = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Tensor in host memory, row-major. */
export type HostTensor = {
  [K in DType]: { readonly dtype: K; readonly shape: readonly number[]; readonly data: HostArrays[K] };
}[DType];

/** Size of an element of each type in bytes. */
export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  int64: 8,
  int32: 4,
  uint32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** Whether an element type is a floating-point type. */
export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64' || dtype === 'float16';

/** Makes a float32 tensor on the host, row-major. A typed array is used without a copy. */
export const float32Tensor = (shape: readonly number[], data: Float32Array | readonly number[]): HostTensor => ({
  dtype: 'float32',
  shape,
  data: data instanceof Float32Array ? data : Float32Array.from(data),
});

/** Makes an int32 tensor on the host, row-major. A typed array is used without a copy. */
export const int32Tensor = (shape: readonly number[], data: Int32Array | readonly number[]): HostTensor => ({
  dtype: 'int32',
  shape,
  data: data instanceof Int32Array ? data : Int32Array.from(data),
});

/** Makes a bool tensor on the host, row-major. A typed array is used without a copy. */
export const boolTensor = (shape: readonly number[], data: Uint8Array | readonly boolean[]): HostTensor => ({
  dtype: 'bool',
  shape,
  data: data instanceof Uint8Array ? data : Uint8Array.from(data, Number),
});

/** View of a buffer as a tensor, without a copy. */
export const hostTensorAt = (
  dtype: DType,
  shape: readonly number[],
  buffer: ArrayBufferLike,
  byteOffset = 0,
): HostTensor => {
  const count = shape.reduce((product, size) => product * size, 1);
  return { dtype, shape, data: new hostArrays[dtype](buffer, byteOffset, count) } as HostTensor;
};
