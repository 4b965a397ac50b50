import { expect, it } from 'vitest';
import { captionWords, unseenWordWarnings } from './caption-words.ts';

it('splits captions into lower-case words without punctuation and numbers', () => {
  expect(captionWords('Two red cubes, and 3 RED balls!')).toEqual(['two', 'red', 'cubes', 'and', 'balls']);
});

it('warns about words that training did not contain, each once, ten at most', () => {
  const known = new Set(['a', 'red', 'cube', 'and']);
  expect(unseenWordWarnings('A red cube and a cube', known)).toEqual([]);
  expect(unseenWordWarnings('a red dog and a Dog', known)).toEqual([
    'The model has never seen "dog" in training, so it may ignore or misread this word.',
  ]);
  const many = Array.from({ length: 12 }, (_, k) => `word${'abcdefghijkl'[k]!}`).join(' ');
  expect(unseenWordWarnings(many, known)).toEqual([expect.stringMatching(/"wordj" and 2 more words in training/)]);
  expect(unseenWordWarnings('a dog', undefined)).toEqual([]);
});
