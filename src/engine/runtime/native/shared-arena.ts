import { HEAD_BYTES, sharedMemory } from '../../../threads/shared-memory.ts';

/** A piece of shared memory. */
export interface Block {
  readonly buffer: SharedArrayBuffer;
  readonly offset: number;
  readonly bytes: number;
}

interface Gap {
  offset: number;
  bytes: number;
}

interface Chunk {
  readonly buffer: SharedArrayBuffer;
  readonly bytes: number;
  /** Sorted by offset, never touching each other. */
  readonly gaps: Gap[];
}

/** A line of the processor's cache. */
const alignment = 64;
const chunkBytes = 64 * 2 ** 20;

/**
 * Memory for results that are handed from program to program: pieces of a few large shared buffers, used again as soon
 * as they are given back. A training step gives everything back at its end, so the arena ends up as large as the largest
 * step needs and stays so; and memory that was written before costs no page faults.
 */
export class SharedArena {
  private readonly chunks: Chunk[] = [];

  /** @param startOf where a buffer begins in memory, so that pieces begin on whole lines */
  constructor(private readonly startOf: (buffer: SharedArrayBuffer) => bigint) {}

  /** Bytes of all chunks, used or not. */
  get bytes(): number {
    return this.chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes that were taken and not given back. */
  get bytesInUse(): number {
    const free = this.chunks.flatMap(({ gaps }) => gaps).reduce((sum, { bytes }) => sum + bytes, 0);
    return this.bytes - free;
  }

  take(bytes: number): Block {
    const size = Math.max(alignment, Math.ceil(bytes / alignment) * alignment);
    for (const chunk of this.chunks) {
      const index = chunk.gaps.findIndex((gap) => gap.bytes >= size);
      if (index >= 0) return cut(chunk, index, size);
    }
    return cut(this.grow(size), 0, size);
  }

  give({ buffer, offset, bytes }: Block): void {
    const { gaps } = this.chunks.find((chunk) => chunk.buffer === buffer)!;
    let index = gaps.findIndex((gap) => gap.offset > offset);
    if (index < 0) index = gaps.length;
    gaps.splice(index, 0, { offset, bytes });
    join(gaps, index);
    if (index > 0) join(gaps, index - 1);
  }

  private grow(bytes: number): Chunk {
    const size = Math.max(bytes, chunkBytes);
    const buffer = sharedMemory(size + alignment);
    const start = this.startOf(buffer) + BigInt(HEAD_BYTES);
    const offset = HEAD_BYTES + ((Number(-start % BigInt(alignment)) + alignment) % alignment);
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

/** Makes one of a gap and the next, if they touch. */
const join = (gaps: Gap[], index: number): void => {
  const [gap, next] = [gaps[index]!, gaps[index + 1]];
  if (next === undefined || gap.offset + gap.bytes !== next.offset) return;
  gap.bytes += next.bytes;
  gaps.splice(index + 1, 1);
};
