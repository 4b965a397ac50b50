/**
 * Enough of an assembler for loops over vectors: instructions are functions that give WebAssembly's bytes
 * (https://webassembly.github.io/spec/core/binary/), and operands nest as in a formula. WebAssembly has instructions that
 * work on four numbers at once, which JavaScript has not.
 */
export type Code = readonly number[];

const types = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
/** `v128` is four float32, or two float64. */
export type ValueType = keyof typeof types;

/** A parameter or variable of a function. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

/** Whole numbers have as many bytes as they need. */
const unsigned = (value: number): Code =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(Math.floor(value / 0x80))];

const vector = (number: number, ...operands: readonly Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(number)];
const unary =
  (number: number) =>
  (a: Code): Code =>
    vector(number, a);
const binary =
  (number: number) =>
  (a: Code, b: Code): Code =>
    vector(number, a, b);

/** Where an address points: arrays of float32 begin at multiples of four bytes. */
const place = (offset: number): Code => [2, ...unsigned(offset)];

/** Of four float32. */
export const load = (address: Code, offset: number): Code => [...vector(0x00, address), ...place(offset)];
export const store = (address: Code, offset: number, value: Code): Code => [
  ...vector(0x0b, address, value),
  ...place(offset),
];
export const splat = unary(0x13);
export const add = binary(0xe4);
export const subtract = binary(0xe5);
export const multiply = binary(0xe6);
export const divide = binary(0xe7);
export const squareRoot = unary(0xe3);

/** The first two of four float32 in double precision. */
export const lowDoubles = unary(0x5f);
/** The last two. */
export const highDoubles = (a: Code): Code => lowDoubles([...vector(0x0d, a, a), ...upperHalfTwice]);
const upperHalf = [8, 9, 10, 11, 12, 13, 14, 15];
const upperHalfTwice = [...upperHalf, ...upperHalf];
export const addDoubles = binary(0xf0);
export const multiplyDoubles = binary(0xf2);
/** One of two float64. */
export const doubleAt = (lane: 0 | 1, a: Code): Code => [...vector(0x21, a), lane];

export const addScalars = {
  i32: (a: Code, b: Code): Code => [...a, ...b, 0x6a],
  f64: (a: Code, b: Code): Code => [...a, ...b, 0xa0],
};
const isBelow = (a: Code, b: Code): Code => [...a, ...b, 0x49];
/** Up to 8191; the upper bit of the last byte is the sign's. */
const smallConstant = (value: number): Code => [0x41, (value & 0x7f) | 0x80, value >> 7];

/** `body` for the offsets 0, `step`, 2 · `step` … below `end`, which is a multiple of it and not 0. */
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

/** A function while it is written. */
export class FunctionWriter {
  private readonly parameters: ValueType[] = [];
  private readonly variables: ValueType[] = [];
  private readonly code: number[] = [];

  constructor(
    readonly name: string,
    private readonly result?: ValueType,
  ) {}

  /** All before the first variable. */
  parameter(type: ValueType): Local {
    if (this.variables.length > 0) throw new Error('internal: parameters come before variables');
    return local(this.parameters.push(type) - 1);
  }

  /** Begins as 0. */
  variable(type: ValueType): Local {
    return local(this.parameters.length + this.variables.push(type) - 1);
  }

  write(...codes: readonly Code[]): void {
    for (const code of codes) this.code.push(...code);
  }

  get type(): Code {
    const results = this.result === undefined ? [] : [this.result];
    return [0x60, ...[this.parameters, results].flatMap((list) => items(list.map((name) => [types[name]])))];
  }

  get body(): Code {
    return sized([...items(this.variables.map((name) => [1, types[name]])), ...this.code, 0x0b]);
  }
}

const local = (index: number): Local => ({
  get: [0x20, ...unsigned(index)],
  set: (value) => [...value, 0x21, ...unsigned(index)],
});

/** A module of functions that work on shared memory, which it imports as `host.memory`. */
export const assemble = (functions: readonly FunctionWriter[]): Uint8Array<ArrayBuffer> => {
  const memory = [...text('host'), ...text('memory'), 0x02, 0x03, 0, ...unsigned(2 ** 16)];
  return Uint8Array.of(
    ...[0x00, ...Buffer.from('asm'), 1, 0, 0, 0],
    ...section(1, items(functions.map(({ type }) => type))),
    ...section(2, items([memory])),
    ...section(3, items(functions.map((_, index) => unsigned(index)))),
    ...section(7, items(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, items(functions.map(({ body }) => body))),
  );
};

const sized = (bytes: Code): Code => [...unsigned(bytes.length), ...bytes];
const items = (list: readonly Code[]): Code => [...unsigned(list.length), ...list.flat()];
const text = (value: string): Code => sized([...Buffer.from(value)]);
const section = (id: number, bytes: Code): Code => [id, ...sized(bytes)];
