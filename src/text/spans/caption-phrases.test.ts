import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captionPhrases } from './caption-phrases.ts';

const phrasesOf = (caption: string): string[] =>
  captionPhrases(caption).map(({ start, end }) => caption.slice(start, end));

describe('captionPhrases', () => {
  it.each([
    ['a man in a red coat and his dog', ['a man', 'a red coat', 'his dog']],
    ['there are two small blue rubber balls and a cube.', ['two small blue rubber balls', 'a cube']],
    ['the ball left of the large cube', ['the ball', 'the large cube']],
    ['a glass of water on the table', ['a glass of water', 'the table']],
    ['the left shoe of the man on the right', ['the left shoe of the man']],
    ['a man riding a horse next to parked cars', ['a man', 'a horse', 'parked cars']],
    ['a car parked near a tall building', ['a car', 'a tall building']],
    ['what color is the cube behind the 3 cylinders?', ['the cube', 'the 3 cylinders']],
    ['how many red things are there?', ['red things']],
    ['a dog, a cat', ['a dog', 'a cat']],
    ['dog', ['dog']],
    ['of the', []],
    ['', []],
  ])('%s', (caption, expected) => expect(phrasesOf(caption)).toEqual(expected));

  it('gives ordered, disjoint ranges of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        let end = 0;
        for (const phrase of captionPhrases(text)) {
          expect(phrase.start).toBeGreaterThanOrEqual(end);
          expect(phrase.end).toBeGreaterThan(phrase.start);
          ({ end } = phrase);
        }
        expect(end).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});
