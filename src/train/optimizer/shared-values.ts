import type { HostTensor } from '../../engine/graph/index.ts';
import { HEAD_BYTES, sharedMemory } from '../../threads/shared-memory.ts';

/** Arrays that are reserved next to a parameter: two moments and a moving average. */
const COMPANIONS = 3;
/** Bytes that arrays are aligned to. */
const ALIGNMENT = 64;
/** Bytes of a shared memory. Pages that are never written take no physical memory. */
const CHUNK_BYTES = 2 ** 28;

/** Memory that the next array is taken from, as long as one of its arrays is in use. */
let chunk: { readonly buffer: WeakRef<SharedArrayBuffer>; used: number } | undefined;

/** Reserved arrays that have not been taken. */
const reserved = new WeakMap<Float32Array, Float32Array[]>();

/** Array in shared memory: zeros, or a copy of an array. An array that is shared already is returned as it is. */
export const sharedFloats = (from: number | Float32Array): Float32Array => {
  if (typeof from !== 'number' && from.buffer instanceof SharedArrayBuffer) return from;
  const length = typeof from === 'number' ? from : from.length;
  const [shared, ...others] = take(length, 1 + COMPANIONS) as [Float32Array, ...Float32Array[]];
  reserved.set(shared, others);
  if (typeof from !== 'number') shared.set(from);
  return shared;
};

/**
 * Zeros of the length of an array, in the same memory if it has a reserved array left. The kernels see one memory only:
 * arrays elsewhere are copied in and out.
 */
export const sharedBeside = (values: Float32Array): Float32Array =>
  reserved.get(values)?.pop() ?? take(values.length, 1)[0]!;

/** Takes consecutive arrays of equal length from shared memory. */
const take = (length: number, count: number): readonly Float32Array[] => {
  const stride = Math.ceil((length * Float32Array.BYTES_PER_ELEMENT) / ALIGNMENT) * ALIGNMENT;
  const [buffer, offset] = takeBytes(count * stride);
  return Array.from({ length: count }, (_, index) => new Float32Array(buffer, offset + index * stride, length));
};

const takeBytes = (bytes: number): readonly [buffer: SharedArrayBuffer, offset: number] => {
  const known = chunk?.buffer.deref();
  if (chunk !== undefined && known !== undefined && chunk.used + bytes <= known.byteLength) {
    const offset = chunk.used;
    chunk.used += bytes;
    return [known, offset];
  }
  const buffer = sharedMemory(Math.max(bytes, CHUNK_BYTES));
  // A request that fills a memory of its own leaves the current chunk to others.
  if (bytes < CHUNK_BYTES) chunk = { buffer: new WeakRef(buffer), used: HEAD_BYTES + bytes };
  return [buffer, HEAD_BYTES];
};

/** Copies a float tensor into shared memory; other tensors are returned as they are. */
export const sharedTensor = (tensor: HostTensor): HostTensor =>
  tensor.dtype === 'float32' ? { ...tensor, data: sharedFloats(tensor.data) } : tensor;
