import type { HostTensor } from '../../engine/graph/index.ts';
import { HEAD_BYTES, sharedMemory } from '../../threads/shared-memory.ts';

/** Arrays that a parameter's own has room for behind it: two moments and a moving average. */
const companions = 3;
const alignment = 64;
/** Memory that is not written takes none. */
const chunkBytes = 2 ** 28;

/** Where the next array goes, unless the memory's last array is gone by then. */
let chunk: { readonly buffer: WeakRef<SharedArrayBuffer>; used: number } | undefined;

/** Rooms behind arrays that nobody has taken. */
const rooms = new WeakMap<Float32Array, Float32Array[]>();

/** Numbers in memory that threads share: zeros, or those of an array, which is used as it is when it is shared already. */
export const sharedFloats = (from: number | Float32Array): Float32Array => {
  if (typeof from !== 'number' && from.buffer instanceof SharedArrayBuffer) return from;
  const length = typeof from === 'number' ? from : from.length;
  const [shared, ...others] = take(length, 1 + companions) as [Float32Array, ...Float32Array[]];
  rooms.set(shared, others);
  if (typeof from !== 'number') shared.set(from);
  return shared;
};

/**
 * Zeros, as many as an array has, in the same memory: the optimiser's loops see only one. (Where that has no room left,
 * they are elsewhere, and are copied to and fro.)
 */
export const sharedBeside = (values: Float32Array): Float32Array =>
  rooms.get(values)?.pop() ?? take(values.length, 1)[0]!;

/** So many arrays, one behind the other. */
const take = (length: number, count: number): readonly Float32Array[] => {
  const stride = Math.ceil((length * Float32Array.BYTES_PER_ELEMENT) / alignment) * alignment;
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
  const buffer = sharedMemory(Math.max(bytes, chunkBytes));
  // What needs a memory of its own leaves the room in the last one to others.
  if (bytes < chunkBytes) chunk = { buffer: new WeakRef(buffer), used: HEAD_BYTES + bytes };
  return [buffer, HEAD_BYTES];
};

/** A value whose numbers threads share. */
export const sharedTensor = (tensor: HostTensor): HostTensor =>
  tensor.dtype === 'float32' ? { ...tensor, data: sharedFloats(tensor.data) } : tensor;
