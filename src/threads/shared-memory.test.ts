import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  adoptMemory,
  borrowScratch,
  HEAD_BYTES,
  memoryOf,
  returnScratch,
  SCRATCH_BYTES,
  sharedMemory,
} from './shared-memory.ts';

describe('shared memory', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('has the requested bytes after its head, and a handle for other threads', () => {
    const buffer = sharedMemory(100_000);
    expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(buffer.byteLength).toBeGreaterThanOrEqual(HEAD_BYTES + 100_000);
    const memory = memoryOf(buffer)!;
    expect(memory.buffer).toBe(buffer);
    expect(adoptMemory(memory)).toBe(buffer);
    expect(memoryOf(new SharedArrayBuffer(8))).toBeUndefined();
  });

  it('has scratch buffers that do not overlap, until all are in use', () => {
    const memory = memoryOf(sharedMemory(0))!;
    const offsets: number[] = [];
    for (let offset = borrowScratch(memory); offset !== undefined; offset = borrowScratch(memory)) offsets.push(offset);
    expect(offsets).toHaveLength(16);
    offsets.forEach((offset, index) => {
      expect(offset % 64).toBe(0);
      expect(offset).toBeGreaterThanOrEqual(index === 0 ? 64 : offsets[index - 1]! + SCRATCH_BYTES);
    });
    expect(offsets.at(-1)! + SCRATCH_BYTES).toBeLessThanOrEqual(HEAD_BYTES);
    returnScratch(memory, offsets[3]!);
    expect(borrowScratch(memory)).toBe(offsets[3]);
    expect(borrowScratch(memory)).toBeUndefined();
  });

  it('is a plain buffer where the system denies WebAssembly memory', () => {
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function () {
      throw new RangeError('could not allocate memory');
    });
    const buffer = sharedMemory(1000);
    expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(buffer.byteLength).toBe(HEAD_BYTES + 1000);
    expect(memoryOf(buffer)).toBeUndefined();
  });
});
