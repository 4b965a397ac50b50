import { describe, expect, it } from 'vitest';
import { PythonRandom } from './python-random.ts';

describe('PythonRandom', () => {
  // random.seed(SEED); [random.getrandbits(32) for _ in range(…)] of CPython 3.
  it.each([
    [42, [2746317213, 478163327, 107420369, 3184935163, 1181241943]],
    [0, [3626764237, 1654615998, 3255389356]],
    [4294967295, [2728839433, 2661025012, 872737089]],
  ])('seed %i gives the same numbers as Python', (seed, numbers) => {
    const random = new PythonRandom(seed);
    expect(numbers.map(() => random.uint32())).toEqual(numbers);
  });

  it('refills its state after 624 numbers', () => {
    const random = new PythonRandom(42);
    for (let i = 0; i < 1999; i++) random.uint32();
    expect(random.uint32()).toBe(1557724698);
  });

  it('implements below and choice like Python', () => {
    const random = new PythonRandom(42);
    const limits = [1, 2, 3, 10, 100, 1000, 65536, 65537];
    expect(limits.map((limit) => random.below(limit))).toEqual([0, 0, 2, 4, 31, 228, 18289, 13434]);
    expect(new PythonRandom(42).choice(['only'])).toBe('only');
  });
});
