import { readPickle } from '../../../checkpoints/index.ts';
import type { PickleValue } from '../../../checkpoints/pickle/pickle-values.ts';
import type { PreparationTools } from '../../../datasets/preparation/preparation.ts';
import { readInput } from '../../../files/input-file.ts';

/** Functions that preparations need from folders which `datasets` may not import (docs/architecture.md). */
export const preparationTools: PreparationTools = {
  async readPickle(path) {
    const bytes = await readInput(path);
    return plainData(readPickle(bytes, { name: path }));
  },
  async loadRootFinder() {
    const { rootOfPhrase } = await import('../../../text/nouns/root-noun.ts');
    return (text) => rootOfPhrase(text, { wholeIfOneNoun: true });
  },
};

/**
 * Converts dictionaries to objects without a prototype and big integers to numbers. Values that the pickle shares remain
 * shared.
 */
const plainData = (value: PickleValue): unknown => {
  const converted = new Map<PickleValue, unknown>();
  const convert = (pickled: PickleValue): unknown => {
    if (typeof pickled === 'bigint') return Number(pickled);
    if (pickled === null || typeof pickled !== 'object' || pickled instanceof Uint8Array) return pickled;
    const known = converted.get(pickled);
    if (known !== undefined) return known;
    if (Array.isArray(pickled) || pickled instanceof Set) {
      const list = Array.from(pickled, convert);
      converted.set(pickled, list);
      return list;
    }
    if (!(pickled instanceof Map)) return pickled.describe();
    const object = Object.create(null) as Record<string, unknown>;
    for (const [key, content] of pickled) object[typeof key === 'object' ? '(object)' : String(key)] = convert(content);
    converted.set(pickled, object);
    return object;
  };
  return convert(value);
};
