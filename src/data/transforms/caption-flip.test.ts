import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flipCaption } from './caption-flip.ts';

const words = (caption: string): string => flipCaption(caption, 'words').caption;

describe('flipCaption', () => {
  it('swaps left and right, alone and in compounds', () => {
    expect(words('the left cup to the right of the leftmost dog')).toBe(
      'the right cup to the left of the rightmost dog',
    );
    expect(words('Left-hand side, RIGHT lane, rightward; lefthand.')).toBe(
      'Right-hand side, LEFT lane, leftward; righthand.',
    );
  });

  it('keeps other words that contain them', () => {
    const caption = 'a bright cleft, upright leftovers, the rightful owner';
    expect(words(caption)).toBe(caption);
  });

  it('replaces as the official code with `official`, nothing with `keep`', () => {
    const official = flipCaption('a bright left shoe, Left', 'official');
    expect(official.caption).toBe('a bleft right shoe, Left');
    expect(official.moveSpan([9, 18])).toEqual([9, 18]);
    expect(flipCaption('left', 'keep').caption).toBe('left');
  });

  it('moves spans, counted in code points', () => {
    const caption = '🐕 the left cup right of the leftmost 🐕';
    const { caption: flipped, moveSpan } = flipCaption(caption, 'words');
    const [before, after] = [Array.from(caption), Array.from(flipped)];
    const textOf = (characters: string[], [begin, end]: readonly [number, number]): string =>
      characters.slice(begin, end).join('');
    for (const phrase of ['the left cup', 'cup', 'the leftmost 🐕', 'right', '🐕 the']) {
      const begin = Array.from(caption.slice(0, caption.indexOf(phrase))).length;
      const span = [begin, begin + Array.from(phrase).length] as const;
      expect(textOf(before, span)).toBe(phrase);
      expect(textOf(after, moveSpan(span))).toBe(words(phrase));
    }
    // A span that ends within a word stays within it.
    expect(textOf(after, moveSpan([6, 8]))).toBe('ri');
  });

  it('gives the original caption when applied twice', () => {
    const word = fc.constantFrom('left', 'right', 'leftmost', 'Right', 'dog', '🐕', 'upright', ',', '-');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (parts) => {
        const caption = parts.join(' ');
        const once = flipCaption(caption, 'words');
        const twice = flipCaption(once.caption, 'words');
        expect(twice.caption).toBe(caption);
        const starts = Array.from(caption).flatMap((character, i) => (character === ' ' ? [i + 1] : []));
        for (const start of starts) expect(twice.moveSpan(once.moveSpan([start, start]))).toEqual([start, start]);
      }),
    );
  });
});
