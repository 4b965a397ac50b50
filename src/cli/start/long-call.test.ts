import { expect, it } from 'vitest';
import { packArguments, unpackArguments } from './long-call.ts';

it.each([
  ['no arguments', []],
  ['empty and special ones', ['', '--caption', '$HOME {} % \\ " \n \u0001', "it's"]],
  ['many', Array.from({ length: 5000 }, (_, index) => `photos/photo-${index}.png`)],
  ['a long one whose surrogate pairs end at every offset', [`x${'👍'.repeat(60_000)}`, '👍'.repeat(60_000)]],
])('hands over %s', (_, args) => {
  const packed = packArguments(args);
  for (const value of Object.values(packed)) expect(Buffer.byteLength(value)).toBeLessThan(131_000);
  // The environment passes through UTF-8.
  const environment: NodeJS.ProcessEnv = Object.fromEntries(
    Object.entries(packed).map(([name, value]) => [name, Buffer.from(value).toString()]),
  );
  expect(unpackArguments(environment)).toEqual(args);
  expect(environment).toEqual({});
});

it('takes nothing from an environment without arguments', () => {
  expect(unpackArguments({ PATH: '/bin' })).toBeUndefined();
});
