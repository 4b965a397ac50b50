import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';
import { cosSinDegrees, linearToSrgb, wholePower } from './portable-math.ts';

describe('Random', () => {
  it('gives pinned numbers, the same on every machine', () => {
    const random = Random.of(1, 2, 'layout');
    expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
      [
        1997538155,
        1055009644,
        2206554811,
      ]
    `);
  });

  it('gives unrelated streams for neighbouring names', () => {
    const bits = (...name: (number | string)[]) => {
      const random = Random.of(...name);
      return Array.from({ length: 64 }, () => random.uint32());
    };
    const base = bits(7, 7, 'a');
    for (const other of [bits(7, 8, 'a'), bits(8, 7, 'a'), bits(7, 7, 'b'), bits(7 + 2 ** 32, 7, 'a')]) {
      const same = other.reduce((sum, word, i) => {
        let equal = ~(word ^ base[i]!) >>> 0;
        let count = 0;
        for (; equal > 0; equal = (equal & (equal - 1)) >>> 0) count++;
        return sum + count;
      }, 0);
      // 2048 fair bits: 1024 agree, standard deviation 23.
      expect(Math.abs(same - 1024)).toBeLessThan(120);
    }
  });

  it('is uniform: chi-square over 64 bins, and over pairs', () => {
    const random = Random.of(3, 0, 'test');
    const single = new Array<number>(64).fill(0);
    const pairs = new Array<number>(64).fill(0);
    for (let i = 0; i < 64_000; i++) {
      const a = random.below(64);
      single[a]!++;
      pairs[random.below(8) * 8 + random.below(8)]!++;
    }
    const chiSquare = (counts: number[]) => counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 63 degrees of freedom: mean 63, standard deviation 11.
    expect(chiSquare(single)).toBeLessThan(120);
    expect(chiSquare(pairs)).toBeLessThan(120);
  });

  it('shuffles and picks by weight', () => {
    const random = Random.of(4, 0, 'test');
    expect([...random.shuffled([1, 2, 3, 4, 5])].sort()).toEqual([1, 2, 3, 4, 5]);
    const picks = Array.from({ length: 4000 }, () => random.pickWeighted(['a', 'b', 'c'], [1, 0, 3]));
    expect(picks).not.toContain('b');
    expect(picks.filter((pick) => pick === 'c').length / 4000).toBeCloseTo(0.75, 1);
  });
});

describe('portable mathematics', () => {
  it('agrees with the engine’s own functions', () => {
    for (let degrees = -720; degrees <= 720; degrees += 7.3) {
      const [cos, sin] = cosSinDegrees(degrees);
      expect(cos).toBeCloseTo(Math.cos((degrees * Math.PI) / 180), 13);
      expect(sin).toBeCloseTo(Math.sin((degrees * Math.PI) / 180), 13);
    }
    for (let x = 0; x <= 1; x += 0.003) {
      const expected = x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
      expect(linearToSrgb(x)).toBeCloseTo(expected, 12);
    }
    expect(wholePower(0.9, 13)).toBeCloseTo(0.9 ** 13, 14);
  });
});
