import { readFile } from 'node:fs/promises';
import { readPickle } from '../../../checkpoints/index.ts';
import type { PickleValue } from '../../../checkpoints/pickle/pickle-values.ts';
import type { PreparationTools } from '../../../datasets/preparation.ts';
import { fileReason, MdetrError } from '../../../errors.ts';

/** What preparations are handed, because data tools know neither checkpoints nor languages (docs/architecture.md). */
export const preparationTools: PreparationTools = {
  async readPickle(path) {
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
    });
    return plainData(readPickle(bytes, { name: path }));
  },
  async loadRootFinder() {
    const { rootOfPhrase } = await import('../../../text/nouns/root-noun.ts');
    return (text) => rootOfPhrase(text, { wholeIfOneNoun: true });
  },
};

/** Dictionaries as objects without a prototype, big integers as numbers. What is shared in the pickle stays shared. */
const plainData = (value: PickleValue): unknown => {
  const done = new Map<PickleValue, unknown>();
  const convert = (item: PickleValue): unknown => {
    if (typeof item === 'bigint') return Number(item);
    if (item === null || typeof item !== 'object' || item instanceof Uint8Array) return item;
    const known = done.get(item);
    if (known !== undefined) return known;
    if (Array.isArray(item) || item instanceof Set) {
      const list = Array.from(item, convert);
      done.set(item, list);
      return list;
    }
    if (!(item instanceof Map)) return item.describe();
    const record = Object.create(null) as Record<string, unknown>;
    for (const [key, content] of item) record[typeof key === 'object' ? '(object)' : String(key)] = convert(content);
    done.set(item, record);
    return record;
  };
  return convert(value);
};
