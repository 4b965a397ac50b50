import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readVocabAndMerges, type TokenizerDefinition } from '../tokenizer/tokenizer-json.ts';
import { tokenizerOf } from '../tokenizer/tokenizer.ts';
import { packedDefinition } from './packed-tokenizer.ts';

const source = join(import.meta.dirname, '../../../test/fixtures/reference/roberta');
const [vocab, merges] = ['vocab.json', 'merges.txt'].map((name) => readFileSync(join(source, name), 'utf8')) as [
  string,
  string,
];

describe('a packed tokenizer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-packed-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const definition = readVocabAndMerges(JSON.parse(vocab), merges, { vocab: 'vocab.json', merges: 'merges.txt' });
  let reads = 0;
  const read = (): TokenizerDefinition => {
    reads++;
    return definition;
  };
  const load = () => packedDefinition([vocab, merges], read, folder);
  const plain = tokenizerOf(definition);

  it('has the tokens of the files that it was made of', async () => {
    const tokens = Object.keys(JSON.parse(vocab) as Record<string, number>);
    const captions = [
      'A man in a red coat and his dog, 3 of them; it’s 50% übergroß',
      '<mask> héllo wörld 日本語 👍🏽 \ud800 \u0000 x\u0085y',
      '',
      'a'.repeat(64),
      'supercalifragilistic'.repeat(20), // longer than the words that are merged here
      ...Array.from({ length: 300 }, (_, k) =>
        Array.from({ length: 6 }, (_, part) =>
          tokens[(7919 * (6 * k + part + 1)) % tokens.length]!.replaceAll('Ġ', ' '),
        ).join(''),
      ),
    ];
    for (const tokenizer of [tokenizerOf(await load()), tokenizerOf(await load())])
      for (const caption of captions) {
        const [found, expected] = [tokenizer, plain].map((each) => each.encode(caption, { truncation: 'end' }));
        expect(found!.ids).toEqual(expected!.ids);
        expect(found!.tokens).toEqual(expected!.tokens);
        expect(found!.offsets).toEqual(expected!.offsets);
      }
    expect(tokenizerOf(await load()).vocabSize).toBe(plain.vocabSize);
  });

  it('is read instead of the files, unless it is damaged or was made of other files', async () => {
    await load();
    const [name] = readdirSync(folder);
    const path = join(folder, name!);
    const bytes = readFileSync(path);
    const before = reads;
    await load();
    expect(reads).toBe(before);
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 9]! ^= 1;
    for (const contents of [damaged, bytes.subarray(0, bytes.length / 2), Buffer.alloc(0)]) {
      const known = reads;
      writeFileSync(path, contents);
      await load();
      expect(reads).toBe(known + 1);
      expect(readFileSync(path).equals(bytes)).toBe(true);
    }
    await packedDefinition([vocab, `${merges}\n`], read, folder);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('is made where nothing can be stored', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const tokenizer = tokenizerOf(await packedDefinition([vocab, merges], read, join(file, 'below')));
    expect(tokenizer.encode('a red dog').ids).toEqual(plain.encode('a red dog').ids);
  });
});
