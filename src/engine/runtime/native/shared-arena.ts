import { HEAD_BYTES, sharedMemory } from '../../../threads/shared-memory.ts';

/** Allocated range of a shared buffer. */
export interface Block {
  readonly buffer: SharedArrayBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** Free range of a chunk. */
interface Gap {
  offset: number;
  bytes: number;
}

/** Shared buffer that blocks are allocated from. */
interface Chunk {
  readonly buffer: SharedArrayBuffer;
  readonly bytes: number;
  /** Sorted by offset; adjacent gaps are merged. */
  readonly gaps: Gap[];
}

/** Alignment of blocks in bytes: a cache line. */
const ALIGNMENT = 64;
const CHUNK_BYTES = 64 * 2 ** 20;

/**
 * First-fit allocator for values that are passed between programs: blocks of a few large shared buffers, reused as soon as
 * they are released. A training step releases all its blocks at the end, so the arena grows to the size of the largest step
 * and stays there. Reused memory causes no page faults.
 */
export class SharedArena {
  private readonly chunks: Chunk[] = [];

  /** @param startOf returns the address of a buffer, to align blocks to cache lines */
  constructor(private readonly startOf: (buffer: SharedArrayBuffer) => bigint) {}

  /** Bytes of all chunks, allocated or free. */
  get bytes(): number {
    return this.chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes of allocated blocks. */
  get bytesInUse(): number {
    const free = this.chunks.flatMap(({ gaps }) => gaps).reduce((sum, { bytes }) => sum + bytes, 0);
    return this.bytes - free;
  }

  /** Allocates a block of at least `bytes` bytes. */
  allocate(bytes: number): Block {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    for (const chunk of this.chunks) {
      const index = chunk.gaps.findIndex((gap) => gap.bytes >= size);
      if (index >= 0) return cut(chunk, index, size);
    }
    return cut(this.grow(size), 0, size);
  }

  /** Makes the memory of a block available again. */
  release({ buffer, offset, bytes }: Block): void {
    const { gaps } = this.chunks.find((chunk) => chunk.buffer === buffer)!;
    let index = gaps.findIndex((gap) => gap.offset > offset);
    if (index < 0) index = gaps.length;
    gaps.splice(index, 0, { offset, bytes });
    mergeWithNext(gaps, index);
    if (index > 0) mergeWithNext(gaps, index - 1);
  }

  private grow(bytes: number): Chunk {
    const size = Math.max(bytes, CHUNK_BYTES);
    const buffer = sharedMemory(size + ALIGNMENT);
    const start = this.startOf(buffer) + BigInt(HEAD_BYTES);
    const offset = HEAD_BYTES + ((Number(-start % BigInt(ALIGNMENT)) + ALIGNMENT) % ALIGNMENT);
    const chunk = { buffer, bytes: size, gaps: [{ offset, bytes: size }] };
    this.chunks.push(chunk);
    return chunk;
  }
}

const cut = ({ buffer, gaps }: Chunk, index: number, bytes: number): Block => {
  const gap = gaps[index]!;
  const block = { buffer, offset: gap.offset, bytes };
  gap.offset += bytes;
  gap.bytes -= bytes;
  if (gap.bytes === 0) gaps.splice(index, 1);
  return block;
};

/** Merges a gap with the next one if they are adjacent. */
const mergeWithNext = (gaps: Gap[], index: number): void => {
  const [gap, next] = [gaps[index]!, gaps[index + 1]];
  if (next === undefined || gap.offset + gap.bytes !== next.offset) return;
  gap.bytes += next.bytes;
  gaps.splice(index + 1, 1);
};
