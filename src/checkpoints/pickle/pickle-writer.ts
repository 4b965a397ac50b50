/**
 * Value that can be written to a pickle: JSON-like data, dictionaries with arbitrary keys (`Map`), and nodes for Python
 * objects. Integers are written as int, other numbers as float.
 */
export type Picklable = null | boolean | number | bigint | string | readonly Picklable[] | PicklableDict | PickleNode;

export type PicklableDict = ReadonlyMap<Picklable, Picklable>;

/** A value with its own serialization. */
export abstract class PickleNode {
  abstract writeTo(pickle: PickleWriter): void;
}

/** A reference to the class or function `module.name`. */
export class PickleName extends PickleNode {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    super();
    this.module = module;
    this.name = name;
  }

  override writeTo(pickle: PickleWriter): void {
    pickle.global(this.module, this.name);
  }
}

/** A Python tuple; arrays are written as lists. */
export class PickleTuple extends PickleNode {
  readonly items: readonly Picklable[];

  constructor(items: readonly Picklable[]) {
    super();
    this.items = items;
  }

  override writeTo(pickle: PickleWriter): void {
    pickle.tuple(this.items);
  }
}

/** A `collections.OrderedDict`. */
export class PickleOrderedDict extends PickleNode {
  readonly entries: Iterable<readonly [Picklable, Picklable]>;

  constructor(entries: Iterable<readonly [Picklable, Picklable]>) {
    super();
    this.entries = entries;
  }

  override writeTo(pickle: PickleWriter): void {
    pickle.call('collections', 'OrderedDict', []);
    pickle.setItems(this.entries);
  }
}

/** An `argparse.Namespace`. */
export class PickleNamespace extends PickleNode {
  readonly attributes: PicklableDict;

  constructor(attributes: PicklableDict) {
    super();
    this.attributes = attributes;
  }

  override writeTo(pickle: PickleWriter): void {
    pickle.instance('argparse', 'Namespace');
    pickle.build(this.attributes);
  }
}

const INT32 = 2 ** 31;

/** Writer for pickle protocol 2, which torch.save uses and every version of PyTorch reads. */
export class PickleWriter {
  readonly #parts: Uint8Array[] = [Uint8Array.of(0x80, 2)];

  readonly #externals: PickleNode[] = [];

  /** Pickles `value`. `externals` are the nodes whose data is stored outside of the pickle, in the order of their indices. */
  static pickle(value: Picklable): { readonly bytes: Uint8Array; readonly externals: readonly PickleNode[] } {
    const writer = new PickleWriter();
    writer.value(value);
    writer.#opcode('.');
    return { bytes: Buffer.concat(writer.#parts), externals: writer.#externals };
  }

  /** Registers a node whose data is stored outside of the pickle. Returns its index. */
  external(node: PickleNode): number {
    return this.#externals.push(node) - 1;
  }

  #opcode(letter: string): void {
    this.#parts.push(Buffer.from(letter, 'latin1'));
  }

  value(value: Picklable): void {
    if (value === null) this.#opcode('N');
    else if (typeof value === 'boolean') this.#opcode(value ? '\x88' : '\x89');
    else if (typeof value === 'string') this.#text(value);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'bigint') this.#integer(value);
    else if (value instanceof PickleNode) value.writeTo(this);
    else if (value instanceof Map) {
      this.#opcode('}');
      this.setItems(value as PicklableDict);
    } else {
      this.#opcode(']');
      const items = value as readonly Picklable[];
      if (items.length > 0) {
        this.#opcode('(');
        for (const item of items) this.value(item);
        this.#opcode('e');
      }
    }
  }

  #text(text: string): void {
    const bytes = Buffer.from(text);
    const head = Buffer.alloc(5);
    head.write('X', 'latin1');
    head.writeUInt32LE(bytes.byteLength, 1);
    this.#parts.push(head, bytes);
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#integer(BigInt(value));
      return;
    }
    const bytes = Buffer.alloc(9);
    bytes.write('G', 'latin1');
    bytes.writeDoubleBE(value, 1);
    this.#parts.push(bytes);
  }

  #integer(value: bigint): void {
    if (value >= -INT32 && value < INT32) {
      const bytes = Buffer.alloc(5);
      bytes.write('J', 'latin1');
      bytes.writeInt32LE(Number(value), 1);
      this.#parts.push(bytes);
      return;
    }
    // LONG1: two's complement, little-endian, one bit for the sign.
    const length = Math.floor((value < 0n ? ~value : value).toString(2).length / 8) + 1;
    if (length > 255) throw new Error('internal: an integer that is too long to pickle');
    const bytes = Buffer.alloc(2 + length);
    bytes.writeUInt8(0x8a);
    bytes.writeUInt8(length, 1);
    let rest = BigInt.asUintN(8 * length, value);
    for (let i = 0; i < length; i++, rest >>= 8n) bytes[2 + i] = Number(rest & 0xffn);
    this.#parts.push(bytes);
  }

  /** Adds items to the dictionary on top of the stack. */
  setItems(entries: Iterable<readonly [Picklable, Picklable]>): void {
    this.#opcode('(');
    for (const [key, value] of entries) {
      this.value(key);
      this.value(value);
    }
    this.#opcode('u');
  }

  tuple(items: readonly Picklable[]): void {
    this.#opcode('(');
    for (const item of items) this.value(item);
    this.#opcode('t');
  }

  global(module: string, name: string): void {
    this.#opcode(`c${module}\n${name}\n`);
  }

  /** Writes a call `module.name(...args)`. */
  call(module: string, name: string, args: readonly Picklable[]): void {
    this.global(module, name);
    this.tuple(args);
    this.#opcode('R');
  }

  /** Writes an instance of a class, created without constructor arguments. */
  instance(module: string, name: string): void {
    this.global(module, name);
    this.#opcode(')\x81');
  }

  /** Sets the attributes of the object on top of the stack. */
  build(attributes: PicklableDict): void {
    this.value(attributes);
    this.#opcode('b');
  }

  /** Writes a reference to data outside of the pickle. */
  persistentId(items: readonly Picklable[]): void {
    this.tuple(items);
    this.#opcode('Q');
  }
}
