import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  adoptMemory,
  borrowScratch,
  headBytes,
  memoryOf,
  returnScratch,
  scratchBytes,
  sharedMemory,
} from './shared-memory.ts';

describe('shared memory', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('has a head, as many bytes as were asked for behind it, and a handle for other threads', () => {
    const buffer = sharedMemory(100_000);
    expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(buffer.byteLength).toBeGreaterThanOrEqual(headBytes + 100_000);
    const memory = memoryOf(buffer)!;
    expect(memory.buffer).toBe(buffer);
    expect(adoptMemory(memory)).toBe(buffer);
    expect(memoryOf(new SharedArrayBuffer(8))).toBeUndefined();
  });

  it('lends pieces of the head that never overlap, until there are none left', () => {
    const memory = memoryOf(sharedMemory(0))!;
    const pieces: number[] = [];
    for (let piece = borrowScratch(memory); piece !== undefined; piece = borrowScratch(memory)) pieces.push(piece);
    expect(pieces).toHaveLength(16);
    pieces.forEach((piece, index) => {
      expect(piece % 64).toBe(0);
      expect(piece).toBeGreaterThanOrEqual(index === 0 ? 64 : pieces[index - 1]! + scratchBytes);
    });
    expect(pieces.at(-1)! + scratchBytes).toBeLessThanOrEqual(headBytes);
    returnScratch(memory, pieces[3]!);
    expect(borrowScratch(memory)).toBe(pieces[3]);
    expect(borrowScratch(memory)).toBeUndefined();
  });

  it('is ordinary where the system gives no such memory', () => {
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function () {
      throw new RangeError('could not allocate memory');
    });
    const buffer = sharedMemory(1000);
    expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(buffer.byteLength).toBe(headBytes + 1000);
    expect(memoryOf(buffer)).toBeUndefined();
  });
});
