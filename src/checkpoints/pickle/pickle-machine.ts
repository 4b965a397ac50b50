import { MdetrError, quoted } from '../../errors.ts';
import type { UnpickleOptions } from './pickle-dialect.ts';
import { PickleInput } from './pickle-input.ts';
import { readScalar } from './pickle-scalars.ts';
import {
  checkNesting,
  Namespace,
  PickleBudget,
  PickleGlobal,
  type PickleValue,
  UnknownObject,
} from './pickle-values.ts';

const REFUSED_OPCODES: Readonly<Record<number, string>> = {
  0x50: 'PERSID',
  0x69: 'INST',
  0x6f: 'OBJ',
  0x82: 'EXT1',
  0x83: 'EXT2',
  0x84: 'EXT4',
  0x97: 'NEXT_BUFFER',
  0x98: 'READONLY_BUFFER',
};

const HIGHEST_PROTOCOL = 5;

/**
 * Reads the pickle (protocols 0 to 5) that starts at byte `start`. No code from the pickle is executed: only names on the
 * dialect's allow-list are accepted, and their constructors are part of this package.
 * @returns the value and the position after the pickle
 * @throws {PickleEndsEarly} if the bytes end inside the pickle
 * @throws {MdetrError} if the pickle is malformed or holds anything that is not allowed
 */
export const unpickle = (
  bytes: Uint8Array,
  options: UnpickleOptions,
  start = 0,
): { readonly value: PickleValue; readonly end: number } => {
  const machine = new PickleMachine(bytes, options, start);
  const value = machine.run();
  checkNesting(value, options.limits.maxDepth, options.name);
  return { value, end: machine.position };
};

/** The stack machine of the pickle format. One long class, so that the handling of all opcodes is in one place. */
class PickleMachine {
  readonly #input: PickleInput;
  readonly #options: UnpickleOptions;
  readonly #budget: PickleBudget;
  readonly #memo = new Map<number, PickleValue>();
  #stack: PickleValue[] = [];
  /** Stacks below the open marks. */
  readonly #marked: PickleValue[][] = [];

  constructor(bytes: Uint8Array, options: UnpickleOptions, start: number) {
    this.#input = new PickleInput(bytes, start, options.name, options.limits.maxStringBytes);
    this.#options = options;
    this.#budget = new PickleBudget(options.name, options.limits.maxObjects, bytes.byteLength - start);
  }

  get position(): number {
    return this.#input.position;
  }

  run(): PickleValue {
    for (;;) {
      const at = this.#input.position;
      const opcode = this.#input.uint8();
      if (opcode === 0x2e /* STOP */) return this.#pop();
      this.#step(opcode, at);
    }
  }

  #error(what: string): MdetrError {
    return new MdetrError(`${this.#options.name}: ${what} (pickle byte ${this.#input.position})`);
  }

  #fail(what: string): never {
    throw this.#error(what);
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  /** Charges the budget for a value by its memory: an empty Map takes as much as six numbers, a list as two. */
  #pushNew(value: PickleValue): void {
    this.#budget.charge(Array.isArray(value) ? 2 : value instanceof Map || value instanceof Set ? 6 : 1);
    this.#stack.push(value);
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined) this.#fail('malformed pickle: it pops from an empty stack');
    return value;
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined) this.#fail('malformed pickle: it reads from an empty stack');
    return value;
  }

  #popMark(): PickleValue[] {
    const below = this.#marked.pop();
    if (below === undefined) this.#fail('malformed pickle: it has no matching mark');
    const items = this.#stack;
    this.#stack = below;
    return items;
  }

  #popTuple(size: number): PickleValue[] {
    if (this.#stack.length < size) this.#fail('malformed pickle: it pops from an empty stack');
    return this.#stack.splice(this.#stack.length - size, size);
  }

  #popArguments(): PickleValue[] {
    const args = this.#pop();
    if (!Array.isArray(args)) this.#fail('malformed pickle: it calls a name without a tuple of arguments');
    return args;
  }

  #step(opcode: number, at: number): void {
    const input = this.#input;
    const scalar = readScalar(opcode, input);
    if (scalar !== undefined) {
      this.#pushNew(scalar);
      return;
    }
    switch (opcode) {
      case 0x80: {
        const protocol = input.uint8();
        if (protocol > HIGHEST_PROTOCOL) this.#fail(`pickle protocol ${protocol} is unknown`);
        return;
      }
      case 0x95: // FRAME: only a hint for streams
        input.uint64();
        return;
      case 0x28: // MARK
        this.#budget.charge(2);
        this.#marked.push(this.#stack);
        this.#stack = [];
        return;
      case 0x30: // POP: a mark counts as a value
        if (this.#stack.length === 0) this.#popMark();
        else this.#stack.pop();
        return;
      case 0x31: // POP_MARK
        this.#popMark();
        return;
      case 0x32: // DUP
        this.#pushNew(this.#top());
        return;

      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        this.#pushNew([]);
        return;
      case 0x7d: // EMPTY_DICT
        this.#pushNew(new Map());
        return;
      case 0x8f: // EMPTY_SET
        this.#pushNew(new Set());
        return;
      case 0x6c: // LIST
      case 0x74: // TUPLE
        this.#pushNew(this.#popMark());
        return;
      case 0x91: // FROZENSET
        this.#pushNew(new Set(this.#popMark()));
        return;
      case 0x64: {
        // DICT
        const items = this.#popMark();
        const dict = new Map<PickleValue, PickleValue>();
        this.#pushNew(dict);
        this.#setItems(items);
        return;
      }
      case 0x85: // TUPLE1
        this.#pushNew(this.#popTuple(1));
        return;
      case 0x86: // TUPLE2
        this.#pushNew(this.#popTuple(2));
        return;
      case 0x87: // TUPLE3
        this.#pushNew(this.#popTuple(3));
        return;

      case 0x61: // APPEND
        this.#append([this.#pop()]);
        return;
      case 0x65: // APPENDS
        this.#append(this.#popMark());
        return;
      case 0x90: // ADDITEMS
        this.#addItems(this.#popMark());
        return;
      case 0x73: // SETITEM
        this.#setItems(this.#popTuple(2));
        return;
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark());
        return;

      case 0x67: // GET
        this.#recall(input.indexLine());
        return;
      case 0x68: // BINGET
        this.#recall(input.uint8());
        return;
      case 0x6a: // LONG_BINGET
        this.#recall(input.uint32());
        return;
      case 0x70: // PUT
        this.#remember(input.indexLine());
        return;
      case 0x71: // BINPUT
        this.#remember(input.uint8());
        return;
      case 0x72: // LONG_BINPUT
        this.#remember(input.uint32());
        return;
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size);
        return;

      case 0x63: // GLOBAL
        this.#push(this.#global(input.nameLine(), input.nameLine()));
        return;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popTuple(2);
        if (typeof module !== 'string' || typeof name !== 'string')
          this.#fail('malformed pickle: a name is not a string');
        this.#push(this.#global(module, name));
        return;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.#popArguments();
        this.#push(this.#call(this.#pop(), args));
        return;
      }
      case 0x92: {
        // NEWOBJ_EX
        const keywords = this.#pop();
        const args = this.#popArguments();
        const callee = this.#pop();
        if (!(keywords instanceof Map)) this.#fail('malformed pickle: keyword arguments that are not a dictionary');
        if (keywords.size > 0 && !(callee instanceof UnknownObject)) {
          this.#fail('refused: a call with keyword arguments');
        }
        this.#push(this.#call(callee, args));
        return;
      }
      case 0x62: // BUILD
        this.#build();
        return;
      case 0x51: {
        // BINPERSID
        const { persistentLoad } = this.#options;
        if (persistentLoad === undefined) this.#fail('refused: a reference to data outside of the pickle');
        this.#pushNew(persistentLoad(this.#pop()));
        return;
      }
      default: {
        const refused = REFUSED_OPCODES[opcode];
        if (refused !== undefined) this.#fail(`refused: pickle opcode ${refused}`);
        throw new MdetrError(
          `${this.#options.name}: malformed pickle: byte ${at} (0x${opcode.toString(16).padStart(2, '0')}) is not an opcode`,
        );
      }
    }
  }

  #append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (list instanceof UnknownObject) return;
    if (!Array.isArray(list)) this.#fail('malformed pickle: it appends to something that is not a list');
    this.#budget.charge(items.length);
    for (const item of items) list.push(item);
  }

  #addItems(items: readonly PickleValue[]): void {
    const set = this.#top();
    if (set instanceof UnknownObject) return;
    if (!(set instanceof Set)) this.#fail('malformed pickle: it adds to something that is not a set');
    this.#budget.charge(items.length);
    for (const item of items) set.add(item);
  }

  #setItems(items: readonly PickleValue[]): void {
    const dict = this.#top();
    if (dict instanceof UnknownObject) return;
    if (!(dict instanceof Map)) this.#fail('malformed pickle: it sets a key of something that is not a dictionary');
    if (items.length % 2 !== 0) this.#fail('malformed pickle: a dictionary key without a value');
    this.#budget.charge(items.length / 2);
    for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  }

  #remember(index: number): void {
    this.#budget.charge(1);
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) this.#fail(`malformed pickle: memo entry ${index} was never stored`);
    this.#pushNew(value);
  }

  #global(module: string, name: string): PickleGlobal {
    this.#budget.chargeBytes(module.length + name.length);
    const pythonName = `${module}.${name}`;
    const known = this.#options.globals.get(pythonName) ?? this.#options.unknownGlobal?.(pythonName);
    if (known === undefined) {
      const shown = quoted(pythonName);
      throw new MdetrError(
        `${this.#options.name}: refused, its pickle asks for ${shown}, which is not an allowed name. ` +
          `Nothing was executed. If you trust the file, save its plain data again in Python`,
      );
    }
    return known;
  }

  #call(callee: PickleValue, args: readonly PickleValue[]): PickleValue {
    if (!(callee instanceof PickleGlobal)) this.#fail('malformed pickle: it calls something that is not a name');
    if (callee.construct === undefined) this.#fail(`refused: a call of ${callee.pythonName}`);
    this.#budget.charge(6);
    return callee.construct(args, { budget: this.#budget, error: (what) => this.#error(what) });
  }

  #build(): void {
    const state = this.#pop();
    const target = this.#top();
    if (target instanceof Namespace) {
      if (!(state instanceof Map)) this.#fail('malformed pickle: a Namespace whose state is not a dictionary');
      this.#budget.charge(state.size);
      for (const [key, value] of state) {
        if (typeof key !== 'string') this.#fail('malformed pickle: a Namespace attribute whose name is not a string');
        target.attributes.set(key, value);
      }
      return;
    }
    if (target instanceof UnknownObject || this.#options.setState?.(target, state) === true) return;
    // State dicts have an attribute `_metadata` (module versions), which is not needed.
    if (target instanceof Map && (state instanceof Map || Array.isArray(state))) return;
    this.#fail('refused: state for an object that has none');
  }
}
