/** Memory of WebAssembly comes in pages. */
const pageBytes = 2 ** 16;
const mostBytes = 2 ** 32;

/** Pieces at the beginning of every memory that threads borrow; memory that is not written takes none. */
const scratchPieces = 16;
export const scratchBytes = 5 * 2 ** 16;
/** The first bytes say which are borrowed. */
const firstPiece = 64;

/** Where what a memory was made for begins: a whole line of the processor's cache. */
export const headBytes = firstPiece + scratchPieces * scratchBytes;

/** By the buffer that arrays see. */
const memories = new WeakMap<ArrayBufferLike, WebAssembly.Memory>();

/**
 * Shared memory of at least so many bytes after its head, on which WebAssembly can work where it stands; where there is
 * no such memory (4 GiB are the most), ordinary shared memory.
 */
export const sharedMemory = (bytes: number): SharedArrayBuffer => {
  const pages = Math.ceil((headBytes + bytes) / pageBytes);
  if (pages * pageBytes > mostBytes) return new SharedArrayBuffer(headBytes + bytes);
  try {
    return adoptMemory(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
  } catch (error) {
    // It reserves gigabytes of addresses, which some systems limit.
    if (error instanceof RangeError) return new SharedArrayBuffer(headBytes + bytes);
    throw error;
  }
};

/** WebAssembly's handle of a buffer that `sharedMemory` made; this is what other threads are sent. */
export const memoryOf = (buffer: ArrayBufferLike): WebAssembly.Memory | undefined => memories.get(buffer);

/** Makes a memory of another thread known to this one. */
export const adoptMemory = (memory: WebAssembly.Memory): SharedArrayBuffer => {
  // Its type is for memory that is not shared.
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  memories.set(buffer, memory);
  return buffer;
};

/**
 * Borrows a piece of a memory's head, so that what stands elsewhere can be brought to where WebAssembly sees it: its
 * offset, or undefined when all are lent. Other threads may ask at the same time.
 */
export const borrowScratch = ({ buffer }: WebAssembly.Memory): number | undefined => {
  const lent = new Int32Array(buffer, 0, scratchPieces);
  for (let piece = 0; piece < scratchPieces; piece++)
    if (Atomics.compareExchange(lent, piece, 0, 1) === 0) return firstPiece + piece * scratchBytes;
  return undefined;
};

export const returnScratch = ({ buffer }: WebAssembly.Memory, offset: number): void => {
  Atomics.store(new Int32Array(buffer, 0, scratchPieces), (offset - firstPiece) / scratchBytes, 0);
};
