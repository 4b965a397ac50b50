import { MdetrError } from '../../errors.ts';

/** The input ended inside a pickle: the file is truncated, or more of it must be read. */
export class PickleEndsEarly extends MdetrError {
  override name = 'PickleEndsEarly';
}

// Maximum length of a decimal integer (characters) and of a binary integer (bytes), far beyond any seed or counter.
const LONGEST_INTEGER = 1024;
const LONGEST_LINE = 2 ** 20;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const asNumber = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** Sequential reader of the arguments of pickle opcodes. */
export class PickleInput {
  readonly #bytes: Buffer;
  readonly #name: string;
  readonly #maxStringBytes: number;
  #position: number;

  constructor(bytes: Uint8Array, start: number, name: string, maxStringBytes: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#name = name;
    this.#maxStringBytes = maxStringBytes;
  }

  get position(): number {
    return this.#position;
  }

  #fail(what: string): never {
    throw new MdetrError(`${this.#name}: malformed pickle: ${what} (pickle byte ${this.#position})`);
  }

  /** Consumes `length` bytes and returns the position of the first. */
  #take(length: number): number {
    const start = this.#position;
    if (start + length > this.#bytes.length) {
      throw new PickleEndsEarly(`${this.#name}: truncated, its pickle is incomplete (byte ${start})`);
    }
    this.#position = start + length;
    return start;
  }

  uint8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#take(4));
  }

  /** A length of 64 bits. @throws {MdetrError} beyond the safe integers */
  uint64(): number {
    const value = Number(this.#bytes.readBigUInt64LE(this.#take(8)));
    if (!Number.isSafeInteger(value)) this.#fail('a length beyond 2^53');
    return value;
  }

  float64BigEndian(): number {
    return this.#bytes.readDoubleBE(this.#take(8));
  }

  /** A little-endian two's complement integer of `length` bytes. */
  integer(length: number): number | bigint {
    if (length > LONGEST_INTEGER) this.#fail(`an integer of ${length} bytes`);
    const start = this.#take(length);
    if (length === 0) return 0;
    const hex = Buffer.from(this.#bytes.subarray(start, start + length))
      .reverse()
      .toString('hex');
    return asNumber(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  }

  bytes(length: number): Uint8Array {
    this.#checkLength(length);
    const start = this.#take(length);
    // A copy: a view would keep the whole file in memory.
    return Uint8Array.from(this.#bytes.subarray(start, start + length));
  }

  utf8(length: number): string {
    this.#checkLength(length);
    const start = this.#take(length);
    const text = this.#bytes.toString('utf8', start, start + length);
    if (text.includes('\ufffd')) {
      try {
        return strictUtf8.decode(this.#bytes.subarray(start, start + length));
      } catch {
        this.#fail('a string that is not valid UTF-8');
      }
    }
    return text;
  }

  /** A byte string of Python 2, decoded as UTF-8 if valid, otherwise as Latin-1. */
  byteString(length: number): string {
    this.#checkLength(length);
    const start = this.#take(length);
    return textOfBytes(this.#bytes.subarray(start, start + length));
  }

  #checkLength(length: number): void {
    if (length > this.#maxStringBytes) this.#fail(`a string of ${length} bytes, more than ${this.#maxStringBytes}`);
  }

  /** Consumes the rest of the line, and returns the position of its newline. */
  #takeLine(longest: number): number {
    const bytes = this.#bytes;
    const start = this.#position;
    const limit = Math.min(bytes.length, start + longest + 1);
    let end = start;
    while (end < limit && bytes[end] !== 0x0a) end++;
    if (end === limit) {
      if (start + longest < bytes.length) this.#fail(`a line of more than ${longest} characters`);
      throw new PickleEndsEarly(`${this.#name}: truncated, its pickle is incomplete (byte ${start})`);
    }
    this.#position = end + 1;
    return end;
  }

  /** The rest of the line, decoded as Latin-1, without the newline. */
  #line(longest = LONGEST_LINE): string {
    const start = this.#position;
    return this.#bytes.toString('latin1', start, this.#takeLine(longest));
  }

  nameLine(): string {
    const start = this.#position;
    return this.#bytes.toString('utf8', start, this.#takeLine(LONGEST_INTEGER));
  }

  indexLine(): number {
    const text = this.#line(LONGEST_INTEGER);
    const index = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(index)) this.#fail('a memo index that is not a number');
    return index;
  }

  /** Argument of INT (which also encodes booleans as 00 and 01) or LONG (with a trailing L). */
  decimalIntegerLine(mayBeBoolean: boolean): number | bigint | boolean {
    const text = this.#line(LONGEST_INTEGER);
    if (mayBeBoolean && text === '00') return false;
    if (mayBeBoolean && text === '01') return true;
    if (!/^[-+]?\d+L?$/.test(text)) this.#fail('an integer that is not a number');
    return asNumber(BigInt(text.replace(/^\+|L$/g, '')));
  }

  floatLine(): number {
    const text = this.#line(LONGEST_INTEGER).toLowerCase();
    if (/^[-+]?nan$/.test(text)) return NaN;
    if (/^[-+]?inf(inity)?$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
    if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/.test(text)) this.#fail('a float that is not a number');
    return Number(text);
  }

  /** A string in raw-unicode-escape: `\uXXXX` and `\UXXXXXXXX` are characters, all other bytes are Latin-1. */
  rawUnicodeEscapeLine(): string {
    return this.#line().replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_all, short?: string, long?: string) => {
      const codePoint = Number.parseInt(short ?? long ?? '', 16);
      if (codePoint > 0x10ffff) this.#fail('a character beyond U+10FFFF');
      return String.fromCodePoint(codePoint);
    });
  }

  /** A byte string of Python 2 in source form: quoted, with backslash escapes. */
  quotedLine(): string {
    const line = this.#line().trimEnd();
    const quote = line[0];
    if (line.length < 2 || (quote !== "'" && quote !== '"') || !line.endsWith(quote)) {
      this.#fail('a string without its quotes');
    }
    const raw = line
      .slice(1, -1)
      .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))/g, (_all, hex?: string, octal?: string, letter?: string) => {
        if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
        return ESCAPES[letter ?? ''] ?? `\\${letter ?? ''}`;
      });
    return textOfBytes(Buffer.from(raw, 'latin1'));
  }
}

const textOfBytes = (bytes: Uint8Array): string => {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  }
};
