import { expect, it } from 'vitest';
import { SpareBuffers } from './spare-buffers.ts';

it('gives a buffer of the exact size again, once, and keeps a limited number', () => {
  const spare = new SpareBuffers(2);
  const arrays = [8, 16, 32].map((bytes) => new Float32Array(spare.take(bytes)));
  for (const array of [...arrays, arrays[2]!, arrays[1]!.subarray(1)]) spare.give(array);
  expect(spare.take(32)).toBe(arrays[2]!.buffer);
  expect(spare.take(32)).not.toBe(arrays[2]!.buffer);
  expect(spare.take(16)).toBe(arrays[1]!.buffer);
  // The first one made room.
  expect(spare.take(8)).not.toBe(arrays[0]!.buffer);
});
