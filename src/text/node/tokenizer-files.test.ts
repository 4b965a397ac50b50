import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referencePath } from '../../../test/support/reference-case.ts';
import { MdetrError } from '../../errors.ts';
import { byteAlphabet } from '../tokenizer/byte-level.ts';
import { loadTokenizer } from './tokenizer-files.ts';
import { createTokenizer, createTokenizerFromVocab } from '../tokenizer/tokenizer.ts';
import { buildWordLevelTokenizerJson } from '../tokenizer/build-tokenizer-json.ts';

/** A complete small byte-level vocabulary: specials, the 256 bytes, and the token "Ġdog". */
const smallVocab = (): Record<string, number> =>
  Object.fromEntries(
    ['<s>', '<pad>', '</s>', '<unk>', ...byteAlphabet, 'do', 'Ġdo', 'Ġdog'].map((token, id) => [token, id]),
  );
const smallMerges = ['d o', 'Ġ do', 'Ġdo g'];
const roberta = {
  added_tokens: [{ id: 0, content: '<s>', special: true, single_word: false, lstrip: false, rstrip: false }],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
  post_processor: {
    type: 'RobertaProcessing',
    sep: ['</s>', 2],
    cls: ['<s>', 0],
    trim_offsets: true,
    add_prefix_space: false,
  },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
  model: { dropout: null, unk_token: null, continuing_subword_prefix: '', end_of_word_suffix: '', fuse_unk: false },
};
const smallJson = () => ({ ...roberta, model: { ...roberta.model, vocab: smallVocab(), merges: smallMerges } });

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'mdetr-tokenizer-'));
});
afterAll(() => rmSync(dir, { recursive: true }));
const folder = (name: string, files: Readonly<Record<string, string>>): string => {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
};

describe('loadTokenizer', () => {
  it('reads vocab.json and merges.txt, by folder or by either file, with either kind of line end', async () => {
    const files = {
      'vocab.json': JSON.stringify(smallVocab()),
      'merges.txt': `#version: 0.2\n${smallMerges.join('\n')}\n`,
    };
    const unix = folder('unix', files);
    const windows = folder('windows', { ...files, 'merges.txt': files['merges.txt'].replaceAll('\n', '\r\n') });
    for (const path of [unix, join(unix, 'vocab.json'), join(unix, 'merges.txt'), windows]) {
      const tokenizer = await loadTokenizer(path, { maxTokens: 6 });
      expect(tokenizer.maxTokens).toBe(6);
      expect(tokenizer.encode('a dog').tokens).toEqual(['<s>', 'a', 'Ġdog', '</s>']);
    }
  });

  it('prefers tokenizer.json, with merges as strings or pairs, with or without the model type', async () => {
    const json = smallJson();
    const variants = [
      json,
      { ...json, model: { ...json.model, type: 'BPE', merges: smallMerges.map((merge) => merge.split(' ')) } },
    ];
    for (const variant of variants) {
      const path = folder('json', { 'tokenizer.json': JSON.stringify(variant), 'vocab.json': 'not read' });
      for (const where of [path, join(path, 'tokenizer.json')]) {
        const { tokens, offsets } = (await loadTokenizer(where)).encode(' dog dog');
        expect(tokens).toEqual(['<s>', 'Ġdog', 'Ġdog', '</s>']);
        expect(offsets.slice(1, 3)).toEqual([
          [1, 4],
          [5, 8],
        ]);
      }
    }
  });

  it('gives the same from a RoBERTa tokenizer.json as from the pair', async () => {
    const vocab = JSON.parse(readFileSync(referencePath('roberta/vocab.json'), 'utf8')) as Record<string, number>;
    const merges = readFileSync(referencePath('roberta/merges.txt'), 'utf8').trimEnd().split('\n').slice(1);
    const special = [...['<s>', '<pad>', '</s>', '<unk>'].entries(), [50264, '<mask>'] as const];
    const added = special.map(([id, content]) => ({ id, content, lstrip: content === '<mask>' }));
    const path = folder('roberta', {
      'tokenizer.json': JSON.stringify({ ...roberta, added_tokens: added, model: { ...roberta.model, vocab, merges } }),
    });
    const pair = await loadTokenizer(join(referencePath('roberta/vocab.json'), '..'));
    const single = await loadTokenizer(path);
    for (const text of ['a brown dog', 'the <mask> is here', "A woman's café 🐶"]) {
      expect(single.encode(text).tokens).toEqual(pair.encode(text).tokens);
      expect(single.encode(text).offsets).toEqual(pair.encode(text).offsets);
    }
  });

  it.each([
    ['nothing there', undefined, {}, 'no such file or folder'],
    ['empty folder', 'empty', {}, 'vocab.json and merges.txt missing. Expected tokenizer.json, or'],
    ['no merges', 'no-merges', { 'vocab.json': '{}' }, 'merges.txt missing'],
    ['not JSON', 'not-json', { 'tokenizer.json': '{"a":' }, 'tokenizer.json: is not JSON'],
    ['a list', 'list', { 'tokenizer.json': '[]' }, 'tokenizer.json: the file: '],
    ['no model', 'no-model', { 'tokenizer.json': '{"pre_tokenizer":{"type":"ByteLevel"}}' }, 'post_processor'],
  ])('says what is wrong: %s', async (_, name, files, message) => {
    const path = name === undefined ? join(dir, 'nowhere') : folder(name, files);
    await expect(loadTokenizer(path)).rejects.toThrow(MdetrError);
    await expect(loadTokenizer(path)).rejects.toThrow(message);
  });

  it('refuses files that are huge, not text, or no files', async () => {
    const huge = folder('huge', { 'tokenizer.json': '{}' });
    truncateSync(join(huge, 'tokenizer.json'), 65 * 1024 * 1024);
    await expect(loadTokenizer(huge)).rejects.toThrow('such a file has at most');
    const binary = folder('binary', {});
    writeFileSync(join(binary, 'tokenizer.json'), Uint8Array.of(0xff, 0xfe, 0x80));
    await expect(loadTokenizer(binary)).rejects.toThrow('is UTF-16 text');
  });
});

describe('hostile vocabularies', () => {
  const names = { vocabName: 'v', mergesName: 'm' };
  const merges = smallMerges.join('\n');

  it.each([
    ['no object', [], merges, 'v: expected an object'],
    ['null', null, merges, 'v: expected an object'],
    ['empty', {}, merges, 'v: it has no tokens'],
    ['a string id', { a: '1' }, merges, 'v: token "a" has id "1"'],
    ['a negative id', { a: -1 }, merges, 'token "a" has id -1'],
    ['a fraction', { a: 0.5 }, merges, 'token "a" has id 0.5'],
    ['an absurd id', { a: 4e9 }, merges, 'token "a" has id 4000000000'],
    ['an id twice', { a: 1, b: 1 }, merges, 'id 1 is given twice, the second time to "b"'],
    ['no specials', { d: 0, o: 1, do: 2 }, 'd o', 'special token "<s>" is not in the vocabulary'],
    ['a merge of one', smallVocab(), 'dog', 'm: merge 1 is "dog", not a pair'],
    ['a merge of three', smallVocab(), 'd o\na b c', 'm: merge 2 is "a b c"'],
    ['an unknown merge', smallVocab(), 'd o\nd g', 'm: merge 2 needs token "dg"'],
  ])('get a clear error: %s', (_, vocab, mergesText, message) => {
    expect(() => createTokenizerFromVocab(vocab, mergesText, names)).toThrow(message);
  });

  it('may hold tokens with the names of object internals', () => {
    const vocab: unknown = JSON.parse(
      JSON.stringify({ ...smallVocab(), constructor: 263, toString: 264 }).replace('{', '{"__proto__":265,'),
    );
    const tokenizer = createTokenizerFromVocab(vocab, merges);
    expect(tokenizer.vocabSize).toBe(266);
    expect(tokenizer.encode('__').tokens).toEqual(['<s>', '_', '_', '</s>']);
    expect(({} as Record<string, unknown>)['dog']).toBeUndefined();
    const words = createTokenizer(buildWordLevelTokenizerJson(['constructor', 'dog']));
    expect([...words.encode('constructor toString valueOf dog').ids]).toEqual([0, 4, 3, 3, 5, 2]);
  });

  it('without a byte give <unk> for it, at its place', () => {
    const { Ā: _nul, ...rest } = smallVocab();
    const { ids, offsets } = createTokenizerFromVocab(rest, merges).encode('a\0b');
    expect(ids[2]).toBe(3);
    expect(offsets[2]).toEqual([1, 2]);
  });
});

describe('tokenizer.json that is not what MDETR was trained with', () => {
  const small = smallJson();
  it.each([
    ['prefix space', { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true } }, 'without add_prefix_space'],
    ['another splitter', { pre_tokenizer: { type: 'Metaspace' } }, 'pre_tokenizer must be ByteLevel'],
    ['a normaliser', { normalizer: { type: 'NFKC' } }, 'normalizer "NFKC" is not supported with BPE'],
    ['another model', { model: { ...small.model, type: 'Unigram' } }, 'model.type'],
    ['merges missing', { model: { ...small.model, type: 'BPE', merges: undefined } }, 'model.merges is missing'],
    ['a suffix', { model: { ...small.model, end_of_word_suffix: '</w>' } }, 'model.end_of_word_suffix'],
    ['no vocabulary', { model: { ...small.model, vocab: 7 } }, 'model.vocab: expected an object'],
    ['clashing ids', { added_tokens: [{ id: 9, content: '<s>' }] }, 'token "<s>" has id 0 in the vocabulary and 9'],
    ['an empty added token', { added_tokens: [{ id: 9, content: '' }] }, 'added_tokens.0.content'],
    ['an unknown end', { post_processor: { ...small.post_processor, sep: ['[SEP]', 2] } }, '"[SEP]" is not in'],
    [
      'a pair template',
      { post_processor: { type: 'TemplateProcessing', single: [] } },
      'post_processor.single must be',
    ],
    ['whole words otherwise split', { model: { type: 'WordLevel', vocab: smallVocab() } }, 'BertPreTokenizer'],
  ])('is refused: %s', (_, change, message) => {
    expect(() => createTokenizer({ ...small, ...change }, { where: 'file' })).toThrow(message);
    expect(() => createTokenizer({ ...small, ...change }, { where: 'file' })).toThrow('file: ');
  });
});
