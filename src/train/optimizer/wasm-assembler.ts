/**
 * A minimal WebAssembly assembler for loops over vectors. Instructions are functions that return bytes
 * (https://webassembly.github.io/spec/core/binary/), so that operands nest as in a formula. WebAssembly has instructions
 * on four float32 at once, which JavaScript lacks.
 */
export type Code = readonly number[];

const TYPES = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
/** `v128` is four float32, or two float64. */
export type ValueType = keyof typeof TYPES;

/** A parameter or variable of a function. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

/** Unsigned LEB128 encoding of an integer. */
const unsigned = (value: number): Code =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(Math.floor(value / 0x80))];

const vector = (opcode: number, ...operands: readonly Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(opcode)];
const unary =
  (opcode: number) =>
  (a: Code): Code =>
    vector(opcode, a);
const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code =>
    vector(opcode, a, b);

/** Alignment and offset of a memory access: float32 arrays begin at multiples of four bytes. */
const memoryArgument = (offset: number): Code => [2, ...unsigned(offset)];

/** Loads four float32. */
export const load = (address: Code, offset: number): Code => [...vector(0x00, address), ...memoryArgument(offset)];
/** Stores four float32. */
export const store = (address: Code, offset: number, value: Code): Code => [
  ...vector(0x0b, address, value),
  ...memoryArgument(offset),
];
export const splat = unary(0x13);
export const add = binary(0xe4);
export const subtract = binary(0xe5);
export const multiply = binary(0xe6);
export const divide = binary(0xe7);
export const squareRoot = unary(0xe3);

/** The first two of four float32, in double precision. */
export const lowDoubles = unary(0x5f);
/** The last two of four float32, in double precision. */
export const highDoubles = (a: Code): Code => lowDoubles([...vector(0x0d, a, a), ...UPPER_HALF_TWICE]);
const UPPER_HALF = [8, 9, 10, 11, 12, 13, 14, 15];
const UPPER_HALF_TWICE = [...UPPER_HALF, ...UPPER_HALF];
export const addDoubles = binary(0xf0);
export const multiplyDoubles = binary(0xf2);
/** One of two float64. */
export const doubleAt = (lane: 0 | 1, a: Code): Code => [...vector(0x21, a), lane];

export const addScalars = {
  i32: (a: Code, b: Code): Code => [...a, ...b, 0x6a],
  f64: (a: Code, b: Code): Code => [...a, ...b, 0xa0],
};
const isBelow = (a: Code, b: Code): Code => [...a, ...b, 0x49];
/** Constant of up to 8191; the upper bit of its last byte is the sign. */
const smallConstant = (value: number): Code => [0x41, (value & 0x7f) | 0x80, value >> 7];

/** Loop of `body` over the offsets 0, `step`, 2 · `step` … below `end`, which is a multiple of `step` and not 0. */
export const forOffsets = (offset: Local, step: number, end: Code, body: Code): Code => [
  0x03,
  0x40,
  ...body,
  ...offset.set(addScalars.i32(offset.get, smallConstant(step))),
  ...isBelow(offset.get, end),
  0x0d,
  0,
  0x0b,
];

/** Function under construction. */
export class FunctionWriter {
  private readonly parameters: ValueType[] = [];
  private readonly variables: ValueType[] = [];
  private readonly code: number[] = [];

  constructor(
    readonly name: string,
    private readonly result?: ValueType,
  ) {}

  /** Adds a parameter; all parameters come before the first variable. */
  parameter(type: ValueType): Local {
    if (this.variables.length > 0) throw new Error('internal: parameters come before variables');
    return local(this.parameters.push(type) - 1);
  }

  /** Adds a local variable with the initial value 0. */
  variable(type: ValueType): Local {
    return local(this.parameters.length + this.variables.push(type) - 1);
  }

  write(...codes: readonly Code[]): void {
    for (const code of codes) this.code.push(...code);
  }

  get type(): Code {
    const results = this.result === undefined ? [] : [this.result];
    return [0x60, ...[this.parameters, results].flatMap((list) => vectorOf(list.map((name) => [TYPES[name]])))];
  }

  get body(): Code {
    return sized([...vectorOf(this.variables.map((name) => [1, TYPES[name]])), ...this.code, 0x0b]);
  }
}

const local = (index: number): Local => ({
  get: [0x20, ...unsigned(index)],
  set: (value) => [...value, 0x21, ...unsigned(index)],
});

/** Assembles a module of functions on shared memory, which it imports as `host.memory`. */
export const assemble = (functions: readonly FunctionWriter[]): Uint8Array<ArrayBuffer> => {
  const memory = [...nameBytes('host'), ...nameBytes('memory'), 0x02, 0x03, 0, ...unsigned(2 ** 16)];
  return Uint8Array.of(
    0x00,
    ...Buffer.from('asm'),
    1,
    0,
    0,
    0,
    ...section(1, vectorOf(functions.map(({ type }) => type))),
    ...section(2, vectorOf([memory])),
    ...section(3, vectorOf(functions.map((_, index) => unsigned(index)))),
    ...section(7, vectorOf(functions.map(({ name }, index) => [...nameBytes(name), 0x00, ...unsigned(index)]))),
    ...section(10, vectorOf(functions.map(({ body }) => body))),
  );
};

const sized = (bytes: Code): Code => [...unsigned(bytes.length), ...bytes];
const vectorOf = (list: readonly Code[]): Code => [...unsigned(list.length), ...list.flat()];
const nameBytes = (value: string): Code => sized([...Buffer.from(value)]);
const section = (id: number, bytes: Code): Code => [id, ...sized(bytes)];
