import fc from 'fast-check';
import { expect, it } from 'vitest';
import { wordSpans } from './words.ts';

const words = (caption: string) => wordSpans(caption).map(({ start, end }) => caption.slice(start, end));

it.each([
  [
    "A woman's café sign, next to the life-jacket.",
    ['A', "woman's", 'café', 'sign', 'next', 'to', 'the', 'life-jacket'],
  ],
  ["don’t 'quote' rock'n'roll -- a-b-", ['don’t', 'quote', "rock'n'roll", 'a-b']],
  ['$100,000 and 7.89. x_1, 4x4', ['100,000', 'and', '7.89', 'x_1', '4x4']],
  ['🐶👩‍👩‍👧 🇩🇪🇫🇷 👍🏽ok', ['🐶', '👩‍👩‍👧', '🇩🇪', '🇫🇷', '👍🏽', 'ok']],
  ['e\u0301te\u0301 हिन्दी', ['e\u0301te\u0301', 'हिन्दी']],
  ['犬とdog', ['犬', 'と', 'dog']],
  ['カー', ['カ', 'ー']],
  ['\uD83D a\0b', ['a', 'b']],
  [' .,!? ', []],
  ['', []],
])('words of %j', (caption, expected) => {
  expect(words(caption)).toEqual(expected);
});

it('lie in order and inside any string, and together hold all its letters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (caption) => {
      let end = 0;
      for (const span of wordSpans(caption)) {
        expect(span.start).toBeGreaterThanOrEqual(end);
        expect(span.end).toBeGreaterThan(span.start);
        end = span.end;
      }
      expect(end).toBeLessThanOrEqual(caption.length);
      expect(
        words(caption)
          .join('')
          .match(/[\p{L}\p{N}]/gu) ?? [],
      ).toEqual(caption.match(/[\p{L}\p{N}]/gu) ?? []);
    }),
  );
});

it('takes linear time', () => {
  const start = performance.now();
  wordSpans('a-'.repeat(50_000) + '👩‍'.repeat(20_000) + '1.'.repeat(50_000));
  expect(performance.now() - start).toBeLessThan(5000);
});
