import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { loadReferenceJson, referencePath } from '../../../test/support/reference-case.ts';
import { codePointLength } from '../spans/code-points.ts';
import { createTokenizerFromVocab, encodeBatch, type Tokenizer } from './tokenizer.ts';

interface Row {
  readonly text: string;
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly offsets: readonly (readonly number[])[];
  readonly charToToken: readonly (number | null)[];
}

let roberta: Tokenizer;
beforeAll(() => {
  const vocab: unknown = loadReferenceJson('roberta/vocab.json');
  roberta = createTokenizerFromVocab(vocab, readFileSync(referencePath('roberta/merges.txt'), 'utf8'));
});

const rowOf = (text: string, characters: number): Row => {
  const encoding = roberta.encode(text);
  const charToToken = Array.from({ length: characters }, (_, char) => encoding.charToToken(char) ?? null);
  return { text, ids: [...encoding.ids], tokens: encoding.tokens, offsets: encoding.offsets, charToToken };
};

describe('RoBERTa tokens, offsets and characters', () => {
  const reference = (loadReferenceJson('tokenizer/encodings.json') as { rows: Row[] }).rows;
  it.each(reference.map((row) => [JSON.stringify(row.text).slice(0, 50), row] as const))(
    'equal the reference: %s',
    (_, row) => {
      expect(rowOf(row.text, row.charToToken.length)).toEqual(row);
    },
  );

  // Rows from Hugging Face's own `tokenizers` 0.21.4 with the same vocabulary (test/fixtures/text/README.md).
  const original = JSON.parse(
    readFileSync(new URL('../../../test/fixtures/text/roberta-encodings.json', import.meta.url), 'utf8'),
  ) as Row[];
  it('equal those of Hugging Face tokenizers on hard texts', () => {
    expect(original.length).toBeGreaterThan(50);
    for (const row of original) expect(rowOf(row.text, row.charToToken.length)).toEqual(row);
  });

  it('are the same the second time, from the cache', () => {
    for (const row of reference.slice(7, 12)) expect(rowOf(row.text, row.charToToken.length)).toEqual(row);
  });
});

describe('any string has an encoding', () => {
  it('of tokens in order whose ranges lie in the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const { ids, tokens, offsets } = roberta.encode(text);
        const length = codePointLength(text);
        expect(ids.length).toBe(tokens.length);
        expect([ids[0], ids.at(-1)]).toEqual([0, 2]);
        let last = 0;
        for (const [begin, end] of offsets.slice(1, -1)) {
          expect(begin).toBeGreaterThanOrEqual(last);
          expect(end).toBeGreaterThanOrEqual(begin);
          expect(end).toBeLessThanOrEqual(length);
          last = begin;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a lone surrogate is one character and reads as U+FFFD', () => {
    const lone = roberta.encode('a\uD83D b');
    const replaced = roberta.encode('a\uFFFD b');
    expect([...lone.ids]).toEqual([...replaced.ids]);
    expect(lone.offsets).toEqual(replaced.offsets);
    expect(lone.offsets.at(-2)).toEqual([3, 4]);
  });

  it('NUL and control characters are bytes like others', () => {
    expect(roberta.encode('\0a').tokens).toEqual(['<s>', 'Ā', 'a', '</s>']);
  });

  it('a word of ten thousand letters is cut or refused, quickly', () => {
    const start = performance.now();
    expect(() => roberta.encode('x'.repeat(10_000))).toThrow('reads at most 512');
    expect(roberta.encode('x'.repeat(10_000), { truncation: 'end' }).ids).toHaveLength(512);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it('a caption beyond a hundred thousand characters is refused unread', () => {
    expect(() => roberta.encode(' '.repeat(100_001), { truncation: 'end' })).toThrow('100001 characters');
  });
});

describe('long captions', () => {
  const words = (count: number) => Array.from({ length: count }, () => 'dog').join(' ');

  it('of exactly the limit pass; one more is an error with count and limit', () => {
    expect(roberta.encode(words(510)).ids).toHaveLength(512);
    expect(() => roberta.encode(words(511))).toThrow(/"dog dog .*…" has 513 tokens; .* at most 512, .* Shorten it/);
  });

  it('can be truncated, which is told', () => {
    const encoding = roberta.encode(words(600), { truncation: 'end' });
    expect(encoding.ids).toHaveLength(512);
    expect(encoding.ids.at(-1)).toBe(2);
    expect(encoding.truncatedFrom).toBe(602);
    expect(encoding.warnings[0]).toBe('The caption has 602 tokens; only the first 512 were read.');
    expect(encoding.charToToken(4 * 509)).toBe(510);
    expect(encoding.charToToken(4 * 510)).toBeUndefined();
  });

  it('beyond the soft-token head carry a warning, from the first token that no box can name', () => {
    expect(roberta.encode(words(254)).warnings).toEqual([]); // <s> + 254 words: indices 0 to 254
    expect(roberta.encode(words(255)).warnings).toEqual([
      'The caption has 257 tokens; boxes can refer only to the first 255 of them, ' +
        'so nothing from character 1016 on will be detected.',
    ]);
  });
});

describe('encodeBatch', () => {
  const { batch } = loadReferenceJson('tokenizer/positive_maps.json') as {
    batch: { texts: string[]; input_ids: number[][]; attention_mask: number[][] };
  };

  it('pads like the reference', () => {
    const { inputIds, attentionMask, B, T } = encodeBatch(roberta, batch.texts);
    expect([B, T]).toEqual([3, 9]);
    expect([...inputIds]).toEqual(batch.input_ids.flat());
    expect([...attentionMask]).toEqual(batch.attention_mask.flat());
  });

  it('of nothing is empty', () => {
    expect(encodeBatch(roberta, [])).toMatchObject({ B: 0, T: 0, inputIds: new Int32Array(0) });
  });
});

it('charToToken refuses negative and broken indices', () => {
  const encoding = roberta.encode('a dog');
  expect(() => encoding.charToToken(-1)).toThrow('not -1');
  expect(() => encoding.charToToken(0.5)).toThrow('not 0.5');
  expect(encoding.charToToken(99)).toBeUndefined();
});
