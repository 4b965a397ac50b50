import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codePointLength, CodePointMap } from './code-points.ts';

describe('CodePointMap', () => {
  it('counts an emoji once and its units twice', () => {
    const map = new CodePointMap('a🐶b');
    expect([map.codePoints, map.units]).toEqual([3, 4]);
    expect([0, 1, 2, 3].map((position) => map.toUtf16(position))).toEqual([0, 1, 3, 4]);
    expect([0, 1, 2, 3, 4].map((position) => map.toCodePoint(position))).toEqual([0, 1, 1, 2, 3]);
  });

  it('clamps what lies outside', () => {
    for (const text of ['ab', 'a🐶']) {
      const map = new CodePointMap(text);
      expect([map.toUtf16(-5), map.toUtf16(99)]).toEqual([0, text.length]);
      expect([map.toCodePoint(-5), map.toCodePoint(99)]).toEqual([0, 2]);
    }
  });

  it('agrees with the iteration of any string, lone surrogates included', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '🐶', '\uD83D', '\uDC36', 'é', ' ')), (parts) => {
        const text = parts.join('');
        const map = new CodePointMap(text);
        const characters = Array.from(text);
        expect(codePointLength(text)).toBe(characters.length);
        for (let position = 0; position <= characters.length; position++) {
          const unit = characters.slice(0, position).join('').length;
          expect(map.toUtf16(position)).toBe(unit);
          expect(map.toCodePoint(unit)).toBe(position);
        }
      }),
    );
  });
});
