/** Page size of WebAssembly memory. */
const PAGE_BYTES = 2 ** 16;
const MAX_BYTES = 2 ** 32;

/** Number of scratch buffers at the start of every memory, for all threads. Unused ones take no physical memory. */
const SCRATCH_BUFFERS = 16;
/** Size of a scratch buffer. */
export const SCRATCH_BYTES = 5 * 2 ** 16;
/** Offset of the first scratch buffer, after the flags that tell which are in use. */
const FIRST_SCRATCH_OFFSET = 64;

/** Offset of the data in every memory, aligned to a cache line. */
export const HEAD_BYTES = FIRST_SCRATCH_OFFSET + SCRATCH_BUFFERS * SCRATCH_BYTES;

/** WebAssembly memories by their buffers. */
const memories = new WeakMap<ArrayBufferLike, WebAssembly.Memory>();

/**
 * Allocates shared memory with at least `bytes` bytes after `HEAD_BYTES`. WebAssembly can access it without copies, unless
 * it exceeds 4 GiB or the system denies the address space: then it is a plain `SharedArrayBuffer`.
 */
export const sharedMemory = (bytes: number): SharedArrayBuffer => {
  const pages = Math.ceil((HEAD_BYTES + bytes) / PAGE_BYTES);
  if (pages * PAGE_BYTES > MAX_BYTES) return new SharedArrayBuffer(HEAD_BYTES + bytes);
  try {
    return adoptMemory(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
  } catch (error) {
    // Such memory reserves gigabytes of address space, which some systems limit.
    if (error instanceof RangeError) return new SharedArrayBuffer(HEAD_BYTES + bytes);
    throw error;
  }
};

/** WebAssembly memory of a buffer from `sharedMemory`, to be sent to other threads; undefined for a plain buffer. */
export const memoryOf = (buffer: ArrayBufferLike): WebAssembly.Memory | undefined => memories.get(buffer);

/** Registers a memory that another thread sent, and returns its buffer. */
export const adoptMemory = (memory: WebAssembly.Memory): SharedArrayBuffer => {
  // The declared type is that of memory that is not shared.
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  memories.set(buffer, memory);
  return buffer;
};

/**
 * Reserves a scratch buffer of a memory, through which WebAssembly can process data from elsewhere. Safe to call from
 * several threads. Returns its offset, or undefined if all are in use.
 */
export const borrowScratch = ({ buffer }: WebAssembly.Memory): number | undefined => {
  const inUse = new Int32Array(buffer, 0, SCRATCH_BUFFERS);
  for (let index = 0; index < SCRATCH_BUFFERS; index++)
    if (Atomics.compareExchange(inUse, index, 0, 1) === 0) return FIRST_SCRATCH_OFFSET + index * SCRATCH_BYTES;
  return undefined;
};

/** Returns a scratch buffer of a memory for reuse. */
export const returnScratch = ({ buffer }: WebAssembly.Memory, offset: number): void => {
  Atomics.store(new Int32Array(buffer, 0, SCRATCH_BUFFERS), (offset - FIRST_SCRATCH_OFFSET) / SCRATCH_BYTES, 0);
};
