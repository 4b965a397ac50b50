import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import { NO_WORD, wordClassesOf } from './word-classes.ts';

it('finds the attribute values that tokens name, in singular and plural and in any case', async () => {
  const tokenizer = await loadTokenizer(fileURLToPath(new URL('../../../models/default', import.meta.url)));
  const encoding = tokenizer.encode('Two tiny cyan metallic balls; the thing left of a block');
  const length = encoding.ids.length + 2;
  const classes = wordClassesOf(encoding, length);
  const tokens = [...encoding.tokens, '<pad>', '<pad>'].map((token) => token.toLowerCase().replace('▁', ''));
  const named = OBJECT_ATTRIBUTES.flatMap(({ name }, attribute) =>
    tokens.flatMap((token, at) => {
      const value = classes[attribute * length + at]!;
      return value === NO_WORD ? [] : [`${name}: ${token}`];
    }),
  );
  expect(named).toEqual(['shape: balls', 'shape: block', 'color: cyan', 'size: tiny', 'material: metallic']);
  expect(classes).toHaveLength(OBJECT_ATTRIBUTES.length * length);
});
