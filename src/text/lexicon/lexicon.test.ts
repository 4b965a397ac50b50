import { describe, expect, it } from 'vitest';
import { Lexicon } from './lexicon.ts';

const lexicon = Lexicon.fromSynonyms(
  { person: ['man', 'lady'], dog: ['puppy'], 'hot dog': ['frankfurter'], sheep: [], bus: [], 'traffic light': [] },
  { person: 'people', man: 'men', sheep: 'sheep', lady: 'ladies' },
);

describe('Lexicon', () => {
  it('finds synonyms, plurals and names of several words, the longest first', () => {
    expect(lexicon.find('Two MEN eat a hot dog, with their puppies')).toEqual([
      { noun: 'person', isPlural: true, start: 4, end: 7 },
      { noun: 'hot dog', isPlural: false, start: 14, end: 21 },
      { noun: 'dog', isPlural: true, start: 34, end: 41 },
    ]);
    expect(lexicon.find('traffic lights')).toMatchObject([{ noun: 'traffic light', isPlural: true, end: 14 }]);
    expect(lexicon.find('a manor')).toEqual([]);
  });

  it('takes a word that is its own plural for the singular', () => {
    expect(lexicon.find('sheep')).toMatchObject([{ noun: 'sheep', isPlural: false }]);
  });

  it('makes plurals', () => {
    expect(['person', 'hot dog', 'puppy', 'bus', 'lady', 'bench'].map((name) => lexicon.pluralOf(name))).toEqual([
      'people',
      'hot dogs',
      'puppies',
      'buses',
      'ladies',
      'benches',
    ]);
  });
});
