import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedArena, type Block } from './shared-arena.ts';

/** Arena whose buffers start 16 bytes after a cache line, like those of JavaScript. */
const arena = (): SharedArena => new SharedArena(() => 0x1010n);
const address = ({ offset }: Block): number => 0x1010 + offset;

describe('SharedArena', () => {
  it('aligns blocks to cache lines and reuses them', () => {
    const memory = arena();
    const first = memory.allocate(100);
    expect(address(first) % 64).toBe(0);
    expect(memory.bytesInUse).toBe(128);
    const { bytes } = memory;
    memory.release(first);
    expect(memory.allocate(100)).toEqual(first);
    expect(memory.bytes).toBe(bytes);
  });

  it('grows once for a block that is larger than all chunks', () => {
    const memory = arena();
    const large = memory.allocate(80 * 2 ** 20);
    const { bytes } = memory;
    expect(bytes).toBeGreaterThanOrEqual(80 * 2 ** 20);
    memory.release(large);
    memory.release(memory.allocate(80 * 2 ** 20));
    expect(memory.bytes).toBe(bytes);
  });

  it('never returns overlapping blocks, and merges all gaps after every block was released, in any order', () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.nat()), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(sizes, (steps) => {
        const memory = arena();
        const allocated: Block[] = [];
        for (const [bytes, choice] of steps) {
          // Every third step releases a block.
          if (choice % 3 === 0 && allocated.length > 0)
            memory.release(allocated.splice(choice % allocated.length, 1)[0]!);
          const block = memory.allocate(bytes);
          expect(block.bytes).toBeGreaterThanOrEqual(bytes);
          for (const other of allocated)
            expect(
              other.buffer !== block.buffer ||
                other.offset >= block.offset + block.bytes ||
                block.offset >= other.offset + other.bytes,
            ).toBe(true);
          allocated.push(block);
        }
        for (const block of allocated) memory.release(block);
        expect(memory.bytesInUse).toBe(0);
        const { bytes } = memory;
        memory.release(memory.allocate(60 * 2 ** 20));
        expect(memory.bytes).toBe(bytes);
      }),
      { numRuns: 40 },
    );
  });
});
