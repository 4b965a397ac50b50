import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteSource } from './byte-source.ts';
import { readView, type StridedView } from './tensor-view.ts';

/** A file whose bytes are a function of their position, and that counts the bytes read. */
const virtualFile = (size: number): ByteSource & { bytesRead: number; largestRead: number } => ({
  name: 'virtual',
  size,
  bytesRead: 0,
  largestRead: 0,
  readInto(target, position) {
    this.bytesRead += target.byteLength;
    this.largestRead = Math.max(this.largestRead, target.byteLength);
    for (let i = 0; i < target.byteLength; i++) target[i] = byteAt(position + i);
    return Promise.resolve();
  },
});

const byteAt = (position: number): number => (position * 31 + Math.floor(position / 251)) & 0xff;

/** Gathers element by element, by the definition of strides. */
const byDefinition = ({ position, elementBytes, shape, strides }: StridedView): Uint8Array => {
  let offsets = [0];
  shape.forEach((size, axis) => {
    offsets = offsets.flatMap((offset) => Array.from({ length: size }, (_, i) => offset + i * strides[axis]!));
  });
  return Uint8Array.from(
    offsets.flatMap((offset) =>
      Array.from({ length: elementBytes }, (_, k) => byteAt(position + offset * elementBytes + k)),
    ),
  );
};

describe('readView', () => {
  it('gives the elements in row-major order for any strides', async () => {
    const axis = fc.tuple(fc.nat(4), fc.nat(9));
    await fc.assert(
      fc.asyncProperty(
        fc.array(axis, { maxLength: 5 }),
        fc.constantFrom(1, 2, 4, 8),
        fc.nat(100),
        async (axes, elementBytes, position) => {
          const view = {
            position,
            elementBytes,
            shape: axes.map(([size]) => size),
            strides: axes.map(([, stride]) => stride),
          };
          expect(await readView(virtualFile(2 ** 20), view)).toEqual(byDefinition(view));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads exactly the bytes of a contiguous view', async () => {
    const file = virtualFile(2 ** 20);
    await readView(file, { position: 64, elementBytes: 4, shape: [1, 30, 1, 20], strides: [7, 20, 9, 1] });
    expect(file.bytesRead).toBe(2400);
  });

  it('reports a lack of memory for a tensor', async () => {
    const view = { position: 0, elementBytes: 8, shape: [2 ** 48], strides: [1] };
    await expect(readView(virtualFile(2 ** 52), view)).rejects.toThrow(
      /virtual: not enough memory for 2251799813685248 bytes/,
    );
  });

  it('gathers a column of a huge matrix in bounded chunks', async () => {
    const file = virtualFile(2 ** 40);
    const view = { position: 8, elementBytes: 8, shape: [6, 2], strides: [2 ** 22, 2 ** 25] };
    expect(await readView(file, view)).toEqual(byDefinition(view));
    expect(file.largestRead).toBeLessThanOrEqual(64 * 2 ** 20);
  });
});
