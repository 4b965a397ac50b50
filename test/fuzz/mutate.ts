import type { Random } from '../../src/random/random.ts';

/** Byte values at the borders of signs, characters and opcodes. */
const BORDER_BYTES = [0x00, 0x01, 0x0a, 0x22, 0x28, 0x2e, 0x5b, 0x7b, 0x7f, 0x80, 0xff];
/** Integers at the borders of sizes. */
const BORDER_INTEGERS = [0n, 1n, 255n, 65_535n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n];
/** Values that replace a number of a text format. */
const BORDER_VALUES =
  '0 -1 1 0.5 -0 1e309 -1e309 1e-320 2147483648 4294967296 9007199254740993 1e15 null true "" "x" [] {} [[]] NaN'.split(
    ' ',
  );
/** Maximum length of a mutated input relative to its seed, so that time is spent on small inputs. */
const MAX_GROWTH_BYTES = 4096;

type Mutation = (bytes: Buffer, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const at = (bytes: Uint8Array, random: Random): number => random.below(bytes.length + 1);

const rangeOf = (bytes: Uint8Array, random: Random): [begin: number, end: number] => {
  const begin = at(bytes, random);
  return [begin, Math.min(bytes.length, begin + 1 + random.below(random.chance(0.7) ? 8 : 256))];
};

const overwrite: Mutation = (bytes, random) => {
  if (bytes.length > 0)
    bytes[random.below(bytes.length)] = random.chance(0.5) ? random.below(256) : random.pick(BORDER_BYTES);
  return bytes;
};

const flipBit: Mutation = (bytes, random) => {
  if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
  return bytes;
};

const insert: Mutation = (bytes, random) => {
  const added = Buffer.from(Array.from({ length: 1 + random.below(8) }, () => random.below(256)));
  const begin = at(bytes, random);
  return Buffer.concat([bytes.subarray(0, begin), added, bytes.subarray(begin)]);
};

const remove: Mutation = (bytes, random) => {
  const [begin, end] = rangeOf(bytes, random);
  return Buffer.concat([bytes.subarray(0, begin), bytes.subarray(end)]);
};

const repeat: Mutation = (bytes, random) => {
  const [begin, end] = rangeOf(bytes, random);
  const times = random.chance(0.8) ? 1 : random.below(64);
  const copies = Array.from({ length: times }, () => bytes.subarray(begin, end));
  return Buffer.concat([bytes.subarray(0, end), ...copies, bytes.subarray(end)]);
};

const truncate: Mutation = (bytes, random) => bytes.subarray(0, at(bytes, random));

const setInteger: Mutation = (bytes, random) => {
  const size = random.pick([2, 4, 8]);
  if (bytes.length < size) return bytes;
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(BigInt.asUintN(64, random.pick(BORDER_INTEGERS)));
  bytes.set(value.subarray(0, size), random.below(bytes.length - size + 1));
  return bytes;
};

const setNumber: Mutation = (bytes, random) => {
  const text = bytes.toString('latin1');
  const numbers = [...text.matchAll(/-?\d+(\.\d+)?/g)];
  if (numbers.length === 0) return bytes;
  const number = random.pick(numbers);
  const value = random.pick(BORDER_VALUES);
  return Buffer.from(text.slice(0, number.index) + value + text.slice(number.index + number[0].length), 'latin1');
};

/** Changes one digit or letter to another of its kind, which often leaves a text valid. */
const changeCharacter: Mutation = (bytes, random) => {
  for (let tries = 0; tries < 20 && bytes.length > 0; tries++) {
    const position = random.below(bytes.length);
    const byte = bytes[position]!;
    const [from, count] =
      byte >= 0x30 && byte <= 0x39 ? [0x30, 10] : byte >= 0x61 && byte <= 0x7a ? [0x61, 26] : [0, 0];
    if (count === 0) continue;
    bytes[position] = from + random.below(count);
    break;
  }
  return bytes;
};

const splice: Mutation = (bytes, random, others) => {
  const other = random.pick(others);
  const [begin, end] = rangeOf(other, random);
  const position = at(bytes, random);
  return Buffer.concat([bytes.subarray(0, position), other.subarray(begin, end), bytes.subarray(position)]);
};

/** Character of stretched texts; none of the seeds has a run of it. */
export const STRETCH_CHARACTER = 'Q';
/** Length of a stretched text, well above what an error may quote. */
const STRETCH_LENGTH = 400;

/** Makes a word of the input very long: a key, a value, a name. Errors may quote only its beginning. */
const stretch: Mutation = (bytes, random) => {
  const text = bytes.toString('latin1');
  const words = [...text.matchAll(/[A-Za-z_]{2,}/g)];
  if (words.length === 0) return bytes;
  const { index } = random.pick(words);
  const long = STRETCH_CHARACTER.repeat(STRETCH_LENGTH);
  return Buffer.from(`${text.slice(0, index + 1)}${long}${text.slice(index + 1)}`, 'latin1');
};

const MUTATIONS: readonly Mutation[] = [
  overwrite,
  flipBit,
  insert,
  remove,
  repeat,
  truncate,
  setInteger,
  setNumber,
  setNumber,
  changeCharacter,
  changeCharacter,
  splice,
  stretch,
];

/** Changes an input by one to eight random mutations. `others` are inputs of the same format, to take parts from. */
export const mutate = (seed: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array => {
  let bytes: Uint8Array = Buffer.from(seed);
  const count = random.chance(0.5) ? 1 : 1 + random.below(8);
  for (let i = 0; i < count; i++) bytes = random.pick(MUTATIONS)(Buffer.from(bytes), random, others);
  return bytes.subarray(0, seed.length + MAX_GROWTH_BYTES);
};
