import { MdetrError } from '../../errors.ts';
import type { PickleLimits } from './pickle-dialect.ts';
import { unpickle } from './pickle-machine.ts';
import { InertObject, type PickleConstructor, PickleGlobal, type PickleValue } from './pickle-values.ts';

const oneIterable = (what: string): PickleConstructor => {
  return (args, { budget, error }) => {
    const [items, ...rest] = args;
    if (rest.length > 0 || !(items === undefined || Array.isArray(items) || items instanceof Set)) {
      throw error(`malformed pickle: ${what} of something that is not a list`);
    }
    budget.charge(items === undefined ? 0 : Array.isArray(items) ? items.length : items.size);
    return new Set(items);
  };
};

/** `OrderedDict(pairs)` and its relatives. */
export const orderedDict: PickleConstructor = (args, { budget, error }) => {
  const [items, ...rest] = args;
  if (rest.length > 0) throw error('malformed pickle: OrderedDict with more than one argument');
  if (items === undefined) return new Map();
  // Python 2 wrote the items as a list of pairs; Counter gets a dictionary.
  const pairs: Iterable<PickleValue> | undefined =
    items instanceof Map ? items : Array.isArray(items) ? items : undefined;
  if (pairs === undefined) throw error('malformed pickle: a dictionary of something that is not a list of pairs');
  const dict = new Map<PickleValue, PickleValue>();
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw error('malformed pickle: a dictionary item is not a pair');
    budget.charge(1);
    dict.set(pair[0]!, pair[1]!);
  }
  return dict;
};

/** `_codecs.encode(text, 'latin1')`, by which protocol 2 writes bytes. */
const encodeLatin1: PickleConstructor = (args, { budget, error }) => {
  const [text, codec] = args;
  if (typeof text !== 'string' || codec !== 'latin1' || args.length !== 2) {
    throw error('refused: _codecs.encode with anything but a string and "latin1"');
  }
  budget.chargeBytes(text.length);
  return Uint8Array.from(Buffer.from(text, 'latin1'));
};

const noBytes: PickleConstructor = (args, { error }) => {
  if (args.length > 0) throw error('refused: bytes() with arguments');
  return new Uint8Array(0);
};

const named = (pythonName: string, construct?: PickleConstructor): [string, PickleGlobal] => [
  pythonName,
  new PickleGlobal(pythonName, construct),
];

/** Names of plain Python containers, as Python 2 and Python 3 spell them. */
export const PLAIN_GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map([
  named('collections.OrderedDict', orderedDict),
  named('collections.Counter', orderedDict),
  named('builtins.set', oneIterable('a set')),
  named('__builtin__.set', oneIterable('a set')),
  named('builtins.frozenset', oneIterable('a frozenset')),
  named('__builtin__.frozenset', oneIterable('a frozenset')),
  named('_codecs.encode', encodeLatin1),
  named('builtins.bytes', noBytes),
  named('__builtin__.bytes', noBytes),
]);

/** Limits for plain data. RefCOCO's annotations (142,000 expressions) need less than half of them. */
const PLAIN_LIMITS: PickleLimits = { maxObjects: 20_000_000, maxDepth: 100, maxStringBytes: 64 * 2 ** 20 };

/** Rejects data in which a Python name, such as the class OrderedDict itself, is left as a value. */
const requirePlain = (root: PickleValue, name: string): void => {
  const seen = new Set<PickleValue>();
  const open: PickleValue[] = [];
  const look = (value: PickleValue): void => {
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return;
    if (value instanceof InertObject) throw new MdetrError(`${name}: refused, it holds ${value.describe()} as a value`);
    if (!seen.has(value)) open.push(value);
    seen.add(value);
  };
  look(root);
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (value instanceof Map) {
      for (const [key, item] of value) {
        look(key);
        look(item);
      }
    } else if (Array.isArray(value) || value instanceof Set) {
      for (const item of value) look(item);
    }
  }
};

/**
 * Reads a pickle of plain data: lists and tuples (as arrays), dictionaries (as `Map`s), sets, strings, numbers and bytes,
 * never an `InertObject`. Byte strings of Python 2 are decoded as UTF-8 if valid, otherwise as Latin-1.
 * @param bytes contents of the file
 * @param options `name`: name of the file, for messages
 * @throws {MdetrError} for other objects, which it names, and for truncated or malformed data
 */
export const readPickle = (
  bytes: Uint8Array,
  options: { readonly name?: string; readonly limits?: Partial<PickleLimits> } = {},
): PickleValue => {
  const name = options.name ?? 'pickle';
  const { value } = unpickle(bytes, { name, globals: PLAIN_GLOBALS, limits: { ...PLAIN_LIMITS, ...options.limits } });
  requirePlain(value, name);
  return value;
};
