import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from './tokenizer.ts';
import { buildWordLevelTokenizerJson } from './build-tokenizer-json.ts';

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/text/${name}`, import.meta.url), 'utf8'));
const words = ['a', 'red', 'blue', 'cube', 'sphere', 'left', 'of', 'the', '.', '?', ',', 'zwölf'];

describe('buildWordLevelTokenizerJson', () => {
  it('writes what Hugging Face tokenizers read (the fixture was read by it)', () => {
    expect(buildWordLevelTokenizerJson(words)).toEqual(fixture('word-level-tokenizer.json'));
  });

  it('refuses what the splitter would cut, upper case, white space, and repetitions', () => {
    for (const word of ['x-ray', 'Red', '', ' ', ' red', 'two words'])
      expect(() => buildWordLevelTokenizerJson([word])).toThrow('is not one lower-case word');
    expect(() => buildWordLevelTokenizerJson(['red', 'red'])).toThrow('listed twice');
    expect(() => buildWordLevelTokenizerJson(['red', '<s>'])).toThrow('not one');
  });
});

describe('word-level tokens', () => {
  const tokenizer = createTokenizer(buildWordLevelTokenizerJson(words), { maxTokens: 8 });
  const rows = fixture('word-level-encodings.json') as {
    text: string;
    ids: number[];
    tokens: string[];
    offsets: number[][];
    charToToken: (number | null)[];
  }[];

  it.each(rows.map((row) => [JSON.stringify(row.text), row] as const))(
    'equal Hugging Face tokenizers: %s',
    (_, row) => {
      const encoding = createTokenizer(fixture('word-level-tokenizer.json')).encode(row.text);
      expect([...encoding.ids]).toEqual(row.ids);
      expect(encoding.tokens).toEqual(row.tokens);
      expect(encoding.offsets).toEqual(row.offsets);
      expect(row.charToToken.map((_none, char) => encoding.charToToken(char) ?? null)).toEqual(row.charToToken);
    },
  );

  it('carry a warning that names the words that are not in the vocabulary, each once', () => {
    expect(tokenizer.encode('the red cube').warnings).toEqual([]);
    const [warning, ...more] = tokenizer.encode('the dog 🐶 the dog').warnings;
    expect(more).toEqual([]);
    expect(warning).toContain('does not know "dog", "🐶": ');
    expect(tokenizer.encode('the <unk>').warnings).toEqual([]);
  });

  it('have the special ids of RoBERTa and the limit that was given', () => {
    expect(tokenizer).toMatchObject({ vocabSize: 16, padId: 1, maxTokens: 8 });
    expect(() => tokenizer.encode('a a a a a a a')).toThrow('has 9 tokens; the text encoder reads at most 8');
  });
});
