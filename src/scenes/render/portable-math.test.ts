import { describe, expect, it } from 'vitest';
import { cosSinDegrees, linearToSrgb, integerPower } from './portable-math.ts';

describe('portable mathematics', () => {
  it('agrees with the functions of `Math`', () => {
    for (let degrees = -720; degrees <= 720; degrees += 7.3) {
      const [cos, sin] = cosSinDegrees(degrees);
      expect(cos).toBeCloseTo(Math.cos((degrees * Math.PI) / 180), 13);
      expect(sin).toBeCloseTo(Math.sin((degrees * Math.PI) / 180), 13);
    }
    for (let x = 0; x <= 1; x += 0.003) {
      const expected = x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
      expect(linearToSrgb(x)).toBeCloseTo(expected, 12);
    }
    expect(integerPower(0.9, 13)).toBeCloseTo(0.9 ** 13, 14);
  });
});
