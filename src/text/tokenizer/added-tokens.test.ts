import { describe, expect, it } from 'vitest';
import { AddedTokens, LONGEST_ADDED_TOKEN, MAX_ADDED_TOKENS } from './added-tokens.ts';
import { readTokenizerJson } from './tokenizer-json.ts';

const tokensOf = (contents: readonly string[]): AddedTokens =>
  new AddedTokens(contents.map((content, id) => ({ content, id, lstrip: false, rstrip: false })));

const found = (contents: readonly string[], text: string): [string, number][] =>
  Array.from(tokensOf(contents).in(text), ({ token, index }) => [token.content, index]);

describe('AddedTokens', () => {
  it('finds the longest token at each position, from left to right', () => {
    expect(found(['<s>', '<', 'ab', 'abc', 'bc'], 'ab<s>abcbc<')).toEqual([
      ['ab', 0],
      ['<s>', 2],
      ['abc', 5],
      ['bc', 8],
      ['<', 10],
    ]);
    expect(found([], 'ab')).toEqual([]);
    expect(found(['abc'], 'ab')).toEqual([]);
    expect(found(['🐕'], '🐈🐕')).toEqual([['🐕', 2]]);
  });

  it('looks at each position a bounded number of times, whatever the tokens are', () => {
    const contents = Array.from({ length: MAX_ADDED_TOKENS }, (_, i) => 'a'.repeat(1 + (i % 250)) + String(i));
    const lookups = { count: 0 };
    const tokens = tokensOf(contents);
    const text = new Proxy(Object('a'.repeat(1000)) as object, {
      get(target, key) {
        if (key === 'slice') lookups.count++;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    }) as unknown as string;
    expect([...tokens.in(text)]).toEqual([]);
    expect(lookups.count).toBeLessThanOrEqual(1000 * LONGEST_ADDED_TOKEN);
  });

  it('of a file are bounded in number and length', () => {
    const file = (added: readonly unknown[]) => ({
      added_tokens: added,
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: { type: 'RobertaProcessing', cls: ['<s>', 0], sep: ['</s>', 1] },
      model: { type: 'WordLevel', vocab: { '<s>': 0, '</s>': 1, '<pad>': 2, '<unk>': 3 } },
    });
    expect(() => readTokenizerJson(file([{ content: 'x'.repeat(300), id: 4 }]), 't.json')).toThrow(
      /t\.json: added_tokens\.0\.content/,
    );
    const many = Array.from({ length: MAX_ADDED_TOKENS + 1 }, (_, i) => ({ content: `<${i}>`, id: 4 + i }));
    expect(() => readTokenizerJson(file(many), 't.json')).toThrow(/t\.json: added_tokens/);
    expect(readTokenizerJson(file(many.slice(1)), 't.json').addedTokens).toHaveLength(MAX_ADDED_TOKENS);
  });
});
