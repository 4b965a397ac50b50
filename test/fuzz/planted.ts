import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MdetrError } from '../../src/errors.ts';
import { STRETCH_CHARACTER } from './mutate.ts';
import type { Reader } from './reader.ts';

const planted = (name: string, read: Reader['read']): Reader => ({
  name: `planted ${name}`,
  seeds: () => Promise.resolve([Buffer.from('a seed of a planted reader')]),
  read,
});

let inputs = 0;
/** Runs an action at the third input: the first is read before the measurements. */
const once =
  (action: Reader['read']): Reader['read'] =>
  (bytes, folders) =>
    (inputs += 1) === 3 ? action(bytes, folders) : undefined;

/** Readers with one fault of each kind, with which the fuzzer is tested. */
export const PLANTED_READERS: readonly Reader[] = [
  planted(
    'crash',
    once(() => process.abort()),
  ),
  planted(
    'hang',
    once(() => {
      for (;;);
    }),
  ),
  planted(
    'memory',
    once(() => void Buffer.alloc(700 * 2 ** 20, 1)),
  ),
  planted(
    'foreign exception',
    once(() => {
      throw new TypeError('planted');
    }),
  ),
  planted(
    'copied text',
    once(() => {
      throw new MdetrError(`unknown key "${STRETCH_CHARACTER.repeat(400)}"`);
    }),
  ),
  planted(
    'write outside',
    once((bytes, { target }) => writeFileSync(join(target, '..', '..', 'escaped'), bytes)),
  ),
  planted(
    'changed prototype',
    once(() => void Object.assign(Object.prototype, { planted: true })),
  ),
  planted('refusal', () => {
    throw new MdetrError('refused');
  }),
];
