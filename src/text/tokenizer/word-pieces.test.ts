import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from './tokenizer.ts';
import { buildWordPiecesTokenizerJson } from './build-tokenizer-json.ts';

const json = buildWordPiecesTokenizerJson({
  words: ['car', 'pet', 'the', 'red', '.', ',', '-', '2'],
  characters: Array.from('abcdefghijklmnopqrstuvwxyzé'),
  merges: [
    ['c', 'a'],
    ['ca', 'r'],
    ['p', 'e'],
    ['pe', 't'],
  ],
});
const tokenizer = createTokenizer(json);
const tokensOf = (text: string): readonly string[] => tokenizer.encode(text).tokens.slice(1, -1);
const offsetsOf = (text: string) => tokenizer.encode(text).offsets.slice(1, -1);

describe('words and pieces', () => {
  it('reads known words whole, and others as a start sign and pieces, which differ from the words', () => {
    expect(tokensOf('The red car.')).toEqual(['▁the', '▁red', '▁car', '▁.']);
    expect(tokensOf('carpet')).toEqual(['▁', 'car', 'pet']);
    expect(offsetsOf('a carpet')).toEqual([
      [0, 1],
      [0, 1],
      [2, 3],
      [2, 5],
      [5, 8],
    ]);
  });

  it('writes characters that it lacks as bytes, with the range of the character', () => {
    expect(tokensOf('🐶')).toEqual(['▁', '<0xF0>', '<0x9F>', '<0x90>', '<0xB6>']);
    expect(offsetsOf('é🐶e')).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
      [2, 3],
    ]);
  });

  it('keeps ranges where lower case is longer than the text', () => {
    expect(tokensOf('İ')).toEqual(['▁', 'i', '<0xCC>', '<0x87>']);
    expect(offsetsOf('xİ2')).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
      [1, 2],
      [1, 2],
      [2, 3],
    ]);
  });

  it('has no unknown words: different words have different tokens, and the text can be read back', () => {
    const vocab = (json as { model: { vocab: Record<string, number> } }).model.vocab;
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((text) => text.normalize());
    fc.assert(
      fc.property(word, (text) => {
        const { ids, tokens, warnings } = tokenizer.encode(text);
        expect(warnings).toEqual([]);
        const isSpecial = /<(s|pad|\/s|unk)>/.test(text);
        if (!isSpecial) expect([...ids].slice(1, -1)).not.toContain(vocab['<unk>']);
        const bytes: number[] = [];
        for (const token of tokens.slice(1, -1)) {
          const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
          bytes.push(...(byte === undefined ? new TextEncoder().encode(token) : [Number.parseInt(byte, 16)]));
        }
        const lower = Array.from(text, (character) => character.toLowerCase()).join('');
        const read = new TextDecoder().decode(Uint8Array.from(bytes)).replaceAll('▁', '');
        if (!isSpecial) expect(read).toBe(lower.replace(/[\p{White_Space}▁]/gu, ''));
      }),
    );
  });

  it('names what a file with byte_fallback lacks', () => {
    const changed = (change: (file: Record<string, Record<string, unknown>>) => void): unknown => {
      const copy = structuredClone(json) as Record<string, Record<string, unknown>>;
      change(copy);
      return copy;
    };
    const open = (change: (file: Record<string, Record<string, unknown>>) => void) => () =>
      createTokenizer(changed(change));
    expect(open((file) => delete (file['model']!['vocab'] as Record<string, number>)['<0x41>'])).toThrow('<0x41>');
    expect(open((file) => (file['model']!['ignore_merges'] = false))).toThrow('ignore_merges');
    expect(open((file) => (file['model']!['merges'] = undefined))).toThrow('merges');
    expect(open((file) => (file['pre_tokenizer'] = { type: 'BertPreTokenizer' }))).toThrow('Metaspace');
    expect(open((file) => (file['normalizer'] = { type: 'NFC' }))).toThrow('Lowercase');
    expect(open((file) => (file['model']!['merges'] = ['c zz']))).toThrow('merge 1');
  });

  it('refuses words that the splitter would cut', () => {
    const words = (list: string[]) => () => buildWordPiecesTokenizerJson({ words: list, characters: [], merges: [] });
    expect(words(['x-ray'])).toThrow('is not one lower-case word');
    expect(words(['Red'])).toThrow('is not one lower-case word');
    expect(words(['red', 'red'])).toThrow('listed twice');
  });
});

describe('the vocabulary of the shipped configs', () => {
  const file = JSON.parse(
    readFileSync(new URL('../../../configs/words/tokenizer.json', import.meta.url), 'utf8'),
  ) as unknown;
  const shipped = createTokenizer(file);
  const rows = JSON.parse(
    readFileSync(new URL('../../../test/fixtures/text/word-pieces-encodings.json', import.meta.url), 'utf8'),
  ) as { text: string; ids: number[]; offsets: [number, number][] }[];

  it.each(rows.map((row) => [JSON.stringify(row.text), row] as const))(
    'encodes as Hugging Face tokenizers do: %s',
    (_, { text, ids, offsets }) => {
      const encoding = shipped.encode(text, { truncation: 'end' });
      expect([...encoding.ids]).toEqual(ids);
      expect(encoding.offsets).toEqual(offsets);
    },
  );
});
