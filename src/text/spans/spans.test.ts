import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadReferenceJson, referencePath } from '../../../test/support/reference-case.ts';
import { CaptionSpans, type SpanOptions } from './spans.ts';
import { createTokenizerFromVocab, type Tokenizer } from '../tokenizer/tokenizer.ts';

let roberta: Tokenizer;
beforeAll(() => {
  const vocab: unknown = loadReferenceJson('roberta/vocab.json');
  roberta = createTokenizerFromVocab(vocab, readFileSync(referencePath('roberta/merges.txt'), 'utf8'));
});

/** Phrases when the tokens (their strings without "Ġ") of the caption have the given probabilities, others none. */
const phrases = (caption: string, given: Readonly<Record<string, number>>, options?: SpanOptions) => {
  const encoding = roberta.encode(caption);
  const probabilities = new Float32Array(256);
  const left = new Map(Object.entries(given));
  encoding.tokens.forEach((token, index) => {
    const name = token.replace('Ġ', '');
    probabilities[index] = left.get(name) ?? 0;
    left.delete(name); // The first such token only.
  });
  expect([...left.keys()]).toEqual([]);
  const result = new CaptionSpans(encoding).phrases(probabilities, options);
  for (const { start, end, text } of result) expect(caption.slice(start, end)).toBe(text);
  return result.map(({ text, score }) => [text, Number(score.toFixed(4))]);
};

describe('CaptionSpans', () => {
  const coat = 'a man in a red coat and his dog';

  it('sums the tokens of a phrase', () => {
    expect(phrases(coat, { a: 0.4, man: 0.5 })).toEqual([['a man', 0.9]]);
  });

  it('makes whole words of fragments', () => {
    const caption = 'an umbrellabird here';
    expect(roberta.encode(caption).tokens).toEqual(['<s>', 'an', 'Ġumb', 'rell', 'ab', 'ird', 'Ġhere', '</s>']);
    expect(phrases(caption, { rell: 0.9 })).toEqual([['an umbrellabird', 0.9]]);
  });

  it('takes the article before a word in, and bridges "of" and articles', () => {
    expect(phrases(coat, { man: 0.8 })).toEqual([['a man', 0.8]]);
    expect(phrases('the glass of water', { glass: 0.4, water: 0.4, of: 0.01 })).toEqual([['the glass of water', 0.81]]);
    expect(phrases('far side of the moon', { side: 0.4, moon: 0.4 })).toEqual([['side of the moon', 0.8]]);
    expect(phrases('side of the big moon', { side: 0.4, moon: 0.4 })).toHaveLength(2);
  });

  it('keeps apart what other words or punctuation part, best first', () => {
    expect(phrases(coat, { man: 0.3, red: 0.2, coat: 0.25 })).toEqual([
      ['a red coat', 0.45],
      ['a man', 0.3],
    ]);
    expect(phrases('dog, cat', { dog: 0.4, cat: 0.4 })).toEqual([
      ['dog', 0.4],
      ['cat', 0.4],
    ]);
  });

  it('cuts connectives off the ends', () => {
    expect(phrases(coat, { man: 0.3, in: 0.3 })).toEqual([['a man', 0.3]]);
    expect(phrases(coat, { and: 0.3, his: 0.3, dog: 0.3 })).toEqual([['his dog', 0.6]]);
  });

  it('drops phrases of connectives unless there is nothing else', () => {
    expect(phrases(coat, { in: 0.4, dog: 0.4 })).toEqual([['dog', 0.4]]);
    expect(phrases(coat, { in: 0.9 })).toEqual([['in', 0.9]]);
  });

  it('judges tokens by their share of the strongest and phrases by the sum', () => {
    expect(phrases(coat, { man: 0.5, dog: 0.2 })).toEqual([
      ['a man', 0.5],
      ['dog', 0.2],
    ]);
    expect(phrases(coat, { man: 0.5, dog: 0.12 })).toEqual([['a man', 0.5]]);
    expect(phrases(coat, { man: 0.5, dog: 0.12 }, { tokenFraction: 0.1 })).toHaveLength(2);
    expect(phrases(coat, { man: 0.5, dog: 0.2 }, { threshold: 0.3 })).toEqual([['a man', 0.5]]);
    const even = Object.fromEntries(
      ['two', 'very', 'large', 'old', 'wooden', 'fishing', 'boats'].map((w) => [w, 0.14]),
    );
    expect(phrases('two very large old wooden fishing boats', even)).toEqual([
      ['two very large old wooden fishing boats', 0.98],
    ]);
  });

  it('finds nothing where nothing is meant', () => {
    expect(phrases(coat, {})).toEqual([]);
    expect(phrases(coat, {}, { threshold: 0 })).toEqual([]);
    expect(phrases(coat, { '<s>': 0.5, '</s>': 0.4 })).toEqual([]);
    expect(phrases('a dog.', { '.': 0.9 })).toEqual([]);
    expect(phrases('', { '<s>': 1 })).toEqual([]);
    expect(phrases('  ', { '<s>': 1 })).toEqual([]);
  });

  it('joins hyphens and contractions into their words', () => {
    expect(phrases("the woman's life-jacket", { woman: 0.2, acket: 0.2 })).toEqual([["the woman's life-jacket", 0.4]]);
  });

  it('counts UTF-16 units behind an emoji, and knows emoji and CJK as words', () => {
    const caption = '🐶 and 日本語 dog';
    const encoding = roberta.encode(caption);
    const probabilities = new Float32Array(256);
    probabilities[encoding.charToToken(0)!] = 0.3; // One of the three tokens that the emoji is cut into.
    probabilities[encoding.charToToken(6)!] = 0.2;
    probabilities[encoding.charToToken(7)!] = 0.2;
    probabilities[encoding.charToToken(10)!] = 0.2;
    const spans = new CaptionSpans(encoding).phrases(probabilities);
    expect(spans.map(({ text, start, end }) => [text, start, end])).toEqual([
      ['日本', 7, 9],
      ['🐶', 0, 2],
      ['dog', 11, 14],
    ]);
  });

  it('looks at the first 255 tokens only', () => {
    const encoding = roberta.encode(Array.from({ length: 300 }, () => 'dog').join(' '));
    const probabilities = new Float32Array(256);
    probabilities[255] = 1; // "No object", not token 255.
    expect(new CaptionSpans(encoding).phrases(probabilities)).toEqual([]);
    probabilities[254] = 0.5;
    expect(new CaptionSpans(encoding).phrases(probabilities)).toMatchObject([{ start: 4 * 253, score: 0.5 }]);
  });

  it('gives disjoint phrases of whole words, in order of score, for any caption and any probabilities', () => {
    const caption = fc.array(fc.constantFrom('a', 'red', 'dog', 'of', ',', '🐶', "man's", '日本', ' ', 'xylophonist'));
    fc.assert(
      fc.property(caption, fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), (parts, values) => {
        const encoding = roberta.encode(parts.join(' '));
        const total = values.reduce((sum, value) => sum + value, 0) || 1;
        const probabilities = new Float32Array(256);
        probabilities.set(values.map((value) => value / total));
        const spans = new CaptionSpans(encoding).phrases(probabilities, { threshold: 0 });
        const byPlace = [...spans].sort((a, b) => a.start - b.start);
        byPlace.slice(1).forEach((span, index) => expect(span.start).toBeGreaterThanOrEqual(byPlace[index]!.end));
        spans.slice(1).forEach((span, index) => expect(span.score).toBeLessThanOrEqual(spans[index]!.score));
        for (const { text } of spans) expect(text).toBe(text.trim());
        expect(spans.reduce((sum, { score }) => sum + score, 0)).toBeLessThanOrEqual(1.0001);
      }),
    );
  });
});
