import { describe, expect, it } from 'vitest';
import { Random } from '../../random/random.ts';
import { captionWords } from '../../text/index.ts';
import { Lexicon } from '../../text/lexicon/lexicon.ts';
import type { PhotoRow } from './photo-row.ts';
import { extreme, makePhotoText, wordsOfPhotoTexts, type DescribedImage, type PhotoTextKind } from './photo-texts.ts';

const lexicon = Lexicon.fromSynonyms(
  { dog: ['puppy'], car: ['automobile'], person: ['man'], cup: [], zebra: [] },
  { person: 'people' },
);
const row: PhotoRow = {
  id: 'one',
  source: 'coco',
  tier: 'clean',
  parts: [{ file: 'one.jpg' }],
  objects: [
    { noun: 'dog', box: [0.1, 0.5, 0.3, 0.8], weight: 1 },
    { noun: 'dog', box: [0.6, 0.5, 0.95, 0.95], weight: 1 },
    { noun: 'car', box: [0.3, 0.1, 0.6, 0.3], weight: 1 },
  ],
  ignored: [{ noun: 'cup', box: [0, 0, 0.1, 0.1], weight: 0.3 }],
  captions: [{ caption: 'Two dogs near a car', phrases: [{ start: 0, end: 8, objects: [0, 1] }] }],
};
const image: DescribedImage = { row, colors: ['black', 'white', 'red'] };

const texts = (kind: PhotoTextKind) =>
  Array.from({ length: 200 }, (_, seed) => makePhotoText(kind, image, lexicon, Random.of(seed))).filter(
    (text) => text !== undefined,
  );

describe('makePhotoText', () => {
  it('marks the noun phrase, and all objects of the noun', () => {
    for (const { text, phrases } of texts('noun')) {
      const [phrase] = phrases;
      const words = text.slice(phrase!.start, phrase!.end);
      const [match] = lexicon.find(words);
      expect(phrase!.objects).toEqual(match!.noun === 'dog' ? [0, 1] : [2]);
      expect(match!.end).toBe(words.length);
    }
  });

  it('tells one object apart from all others of its noun', () => {
    const found = new Set<string>();
    for (const { text, phrases } of texts('qualified')) {
      const [{ objects }] = phrases as [(typeof phrases)[number]];
      expect(objects).toHaveLength(1);
      if (/\b(left|leftmost|black|small|smaller|smallest|little|tiny)\b/.test(text)) expect(objects).toEqual([0]);
      if (/\b(right|rightmost|white|big|bigger|biggest|large|larger|largest)\b/.test(text))
        expect(objects).toEqual([1]);
      // Both dogs are equally high up, so neither is "the upper dog".
      expect(text).not.toMatch(/upper|top/);
      found.add(text);
    }
    expect(found.size).toBeGreaterThan(20);
  });

  it('never calls a noun absent that is there or may be there', () => {
    for (const { text, phrases } of texts('absent')) {
      expect(phrases).toEqual([]);
      for (const { noun } of lexicon.find(text)) expect(['person', 'zebra']).toContain(noun);
    }
    for (const { text, phrases } of texts('list')) {
      const absent = lexicon
        .find(text)
        .filter(({ start }) => !phrases.some((phrase) => phrase.start <= start && start < phrase.end));
      for (const { noun } of absent) expect(['person', 'zebra']).toContain(noun);
    }
  });

  it('uses the grounded captions, and makes none where there are none', () => {
    expect(texts('caption')[0]).toEqual({ text: 'Two dogs near a car', phrases: row.captions[0]!.phrases });
    const bare = { ...image, row: { ...row, captions: [] } };
    expect(makePhotoText('caption', bare, lexicon, Random.of(1))).toBeUndefined();
  });
});

describe('extreme', () => {
  it('needs a clear margin', () => {
    expect(extreme(row, [0, 1], 'left')).toBe(0);
    expect(extreme(row, [0, 1], 'right')).toBe(1);
    expect(extreme(row, [0, 1], 'large')).toBe(1);
    expect(extreme(row, [0, 1], 'top')).toBeUndefined();
    expect(extreme(row, [0, 1, 2], 'top')).toBe(2);
    expect(extreme(row, [0, 1, 2], 'middle')).toBe(2);
    expect(extreme(row, [0, 1], 'middle')).toBeUndefined();
  });
});

it('names all words of the texts that it makes', () => {
  const words = wordsOfPhotoTexts([row], lexicon);
  const kinds: PhotoTextKind[] = ['noun', 'list', 'qualified', 'absent', 'caption'];
  for (const kind of kinds)
    for (const { text } of texts(kind)) for (const word of captionWords(text)) expect(words).toContain(word);
  expect(words).not.toContain('cat');
});
