import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedArena, type Block } from './shared-arena.ts';

/** Buffers that begin 16 bytes behind a whole line, as JavaScript's do. */
const arena = (): SharedArena => new SharedArena(() => 0x1010n);
const address = ({ offset }: Block): number => 0x1010 + offset;

describe('memory of results', () => {
  it('begins on whole lines and is used again', () => {
    const memory = arena();
    const first = memory.take(100);
    expect(address(first) % 64).toBe(0);
    expect(memory.bytesInUse).toBe(128);
    const { bytes } = memory;
    memory.give(first);
    expect(memory.take(100)).toEqual(first);
    expect(memory.bytes).toBe(bytes);
  });

  it('makes room for what is larger than all that there is, once', () => {
    const memory = arena();
    const large = memory.take(80 * 2 ** 20);
    const { bytes } = memory;
    expect(bytes).toBeGreaterThanOrEqual(80 * 2 ** 20);
    memory.give(large);
    memory.give(memory.take(80 * 2 ** 20));
    expect(memory.bytes).toBe(bytes);
  });

  it('never overlaps, and is whole again when everything was given back, in whatever order', () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.nat()), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(sizes, (steps) => {
        const memory = arena();
        const taken: Block[] = [];
        for (const [bytes, choice] of steps) {
          // Every third step gives something back.
          if (choice % 3 === 0 && taken.length > 0) memory.give(taken.splice(choice % taken.length, 1)[0]!);
          const block = memory.take(bytes);
          expect(block.bytes).toBeGreaterThanOrEqual(bytes);
          for (const other of taken)
            expect(
              other.buffer !== block.buffer ||
                other.offset >= block.offset + block.bytes ||
                block.offset >= other.offset + other.bytes,
            ).toBe(true);
          taken.push(block);
        }
        for (const block of taken) memory.give(block);
        expect(memory.bytesInUse).toBe(0);
        const { bytes } = memory;
        memory.give(memory.take(60 * 2 ** 20));
        expect(memory.bytes).toBe(bytes);
      }),
      { numRuns: 40 },
    );
  });
});
