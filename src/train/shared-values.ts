import type { HostTensor } from '../graph/index.ts';

/** Numbers in memory that threads share: zeros, or those of an array, which is used as it is when it is shared already. */
export const sharedFloats = (from: number | Float32Array): Float32Array => {
  if (typeof from !== 'number' && from.buffer instanceof SharedArrayBuffer) return from;
  const length = typeof from === 'number' ? from : from.length;
  const shared = new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
  if (typeof from !== 'number') shared.set(from);
  return shared;
};

/** A value whose numbers threads share. */
export const sharedTensor = (tensor: HostTensor): HostTensor =>
  tensor.dtype === 'float32' ? { ...tensor, data: sharedFloats(tensor.data) } : tensor;
