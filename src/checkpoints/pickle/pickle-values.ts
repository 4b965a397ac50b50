import { MdetrError } from '../../errors.ts';
import { ReadBudget } from '../../files/read-budget.ts';

/**
 * Value read from a pickle. Dictionaries are `Map`s, so that no key (not even `__proto__`) affects an object's prototype;
 * lists and tuples are arrays; integers beyond 2⁵³ are bigints. Any other object is an `InertObject`.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | InertObject;

/** A value that JSON can hold. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Representation of a Python object, as data. */
export abstract class InertObject {
  /** Description in one line, for messages and `jsonOf`. */
  abstract describe(): string;
}

/** Attributes of an `argparse.Namespace` as plain data. */
export class Namespace extends InertObject {
  readonly attributes = new Map<string, PickleValue>();

  describe(): string {
    return `Namespace of ${this.attributes.size} attributes`;
  }
}

/** Values that a pickle may create whatever its size. */
const FREE_OBJECTS = 10_000;
/** Values that each byte of a pickle may create. An empty dictionary takes one byte and is charged as six values. */
const OBJECTS_PER_BYTE = 8;
/** Bytes of strings that a pickle may copy whatever its size. */
const FREE_COPIED_BYTES = 2 ** 20;

/**
 * Limit on what a pickle can create: the number of objects, and the bytes of strings that calls copy. Both follow from
 * the size of the pickle, so that a small file cannot take much memory.
 */
export class PickleBudget {
  readonly #name: string;
  readonly #limit: number;
  #left: number;
  readonly #copies: ReadBudget;

  /** @param size size of the pickle in bytes */
  constructor(name: string, limit: number, size = Infinity) {
    this.#name = name;
    this.#limit = Math.min(limit, FREE_OBJECTS + OBJECTS_PER_BYTE * size);
    this.#left = this.#limit;
    this.#copies = new ReadBudget({
      name,
      fileBytes: size,
      what: 'strings copied by its pickle',
      floorBytes: FREE_COPIED_BYTES,
    });
  }

  /** Subtracts `count` objects or copied elements. @throws {MdetrError} when the budget is used up */
  charge(count: number): void {
    this.#left -= count;
    if (this.#left < 0) {
      throw new MdetrError(`${this.#name}: refused, its pickle creates more than ${this.#limit} objects`);
    }
  }

  /** Charges for a string or bytes object that a call creates. @throws {MdetrError} when the budget is used up */
  chargeBytes(length: number): void {
    this.#copies.charge(length);
  }
}

export interface PickleCall {
  readonly budget: PickleBudget;
  /** Creates the error for invalid arguments, which names the file and the position. */
  error(what: string): MdetrError;
}

/** Computes the value of a call `name(...args)` in a pickle. */
export type PickleConstructor = (args: readonly PickleValue[], call: PickleCall) => PickleValue;

/** A Python name of the allow-list. Without a constructor it can be referenced but not called. */
export class PickleGlobal extends InertObject {
  readonly pythonName: string;
  readonly construct: PickleConstructor | undefined;

  constructor(pythonName: string, construct?: PickleConstructor) {
    super();
    this.pythonName = pythonName;
    this.construct = construct;
  }

  describe(): string {
    return this.pythonName;
  }
}

/**
 * Object of a class that is not on the allow-list, kept as data: only the name of the class. It can be called and can
 * get state and items, as the pickle format does with objects, and ignores all of them. Nothing is executed.
 */
export class UnknownObject extends PickleGlobal {
  override readonly construct: PickleConstructor = () => this;
}

type Container = PickleValue[] | Map<PickleValue, PickleValue> | Set<PickleValue> | Namespace;

const isContainer = (value: PickleValue): value is Container =>
  Array.isArray(value) || value instanceof Map || value instanceof Set || value instanceof Namespace;

const containersIn = (container: Container): Container[] => {
  const found: Container[] = [];
  const visit = (value: PickleValue): void => {
    if (isContainer(value)) found.push(value);
  };
  if (container instanceof Map) {
    for (const [key, value] of container) {
      visit(key);
      visit(value);
    }
  } else {
    for (const value of container instanceof Namespace ? container.attributes.values() : container) visit(value);
  }
  return found;
};

/**
 * Rejects a value that contains itself or is nested deeper than `maxDepth`, so that later code can traverse it
 * recursively. Takes linear time in the number of containers, also if they are shared, and uses no recursion.
 * @throws {MdetrError} for such a value
 */
export const checkNesting = (root: PickleValue, maxDepth: number, name: string): void => {
  if (!isContainer(root)) return;
  const heights = new Map<Container, number>();
  const OPEN = -1;
  const stack: { container: Container; children: Container[]; next: number; height: number }[] = [];
  const enter = (container: Container): void => {
    heights.set(container, OPEN);
    stack.push({ container, children: containersIn(container), next: 0, height: 1 });
  };
  enter(root);
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const child = frame.children[frame.next++];
    if (child === undefined) {
      heights.set(frame.container, frame.height);
      stack.pop();
      const parent = stack.at(-1);
      if (parent !== undefined) parent.height = Math.max(parent.height, frame.height + 1);
      continue;
    }
    const height = heights.get(child);
    if (height === OPEN) throw new MdetrError(`${name}: refused, its pickle has a container that contains itself`);
    if (height === undefined) enter(child);
    else frame.height = Math.max(frame.height, height + 1);
    if (stack.length + (height ?? 0) > maxDepth) {
      throw new MdetrError(`${name}: refused, its pickle is nested more than ${maxDepth} levels deep`);
    }
  }
};

/** Bytes objects up to this length are converted to strings, longer ones are described. */
const MAX_JSON_BYTES = 4096;
/** Characters that JSON data may hold however small the pickle is. */
const FREE_JSON_CHARACTERS = 2 ** 24;

/**
 * Converts a pickled value, such as `args`, to JSON data. Sets and tuples become arrays, big integers decimal strings,
 * short bytes Latin-1 strings, other objects their description.
 * @param name name of the file, for messages
 * @param maxValues maximum number of values to write; shared values are repeated in JSON
 * @throws {MdetrError} if the values or their characters are too many, as shared values can make them
 */
export const jsonOf = (value: PickleValue, name: string, maxValues = 100_000): JsonValue => {
  const values = new PickleBudget(name, maxValues);
  const characters = new ReadBudget({ name, fileBytes: 0, what: 'repeated strings', floorBytes: FREE_JSON_CHARACTERS });
  const text = (item: string): string => {
    characters.charge(item.length);
    return item;
  };
  const convert = (item: PickleValue): JsonValue => {
    values.charge(1);
    if (typeof item === 'bigint') return text(item.toString());
    if (typeof item === 'string') return text(item);
    if (item === null || typeof item !== 'object') return item;
    if (item instanceof Uint8Array) {
      const isShort = item.byteLength <= MAX_JSON_BYTES;
      return text(isShort ? Buffer.from(item).toString('latin1') : `(${item.byteLength} bytes)`);
    }
    if (Array.isArray(item)) return item.map(convert);
    if (item instanceof Set) return Array.from(item, convert);
    const attributes = item instanceof Namespace ? item.attributes : item;
    if (!(attributes instanceof Map)) return text(attributes.describe());
    const entries = [...attributes].map(([key, content]): [string, JsonValue] => [
      text(keyText(key)),
      convert(content),
    ]);
    // fromEntries defines own properties: a key `__proto__` is an ordinary key.
    return Object.fromEntries(entries);
  };
  return convert(value);
};

const keyText = (key: PickleValue): string =>
  key === null ? 'None' : typeof key === 'object' ? (isContainer(key) ? '(container)' : 'bytes') : String(key);
