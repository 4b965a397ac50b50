import { Buffer } from 'node:buffer';
import type { ByteWindow } from './byte-window.ts';

/** The bytes are not JSON of the expected form; `offset` counts from the start of the file. */
export class JsonScanError extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const MAX_DEPTH = 200;
/** Longest value that is read whole: texts in memory end at 512 MB. */
const LONGEST_VALUE_BYTES = 256 * 1024 * 1024;
/** No key that is ever asked for is longer, even with every letter escaped. */
const LONGEST_KEY_BYTES = 200;
/** Digits that fit a double exactly. */
const MAX_EXACT_DIGITS = 15;

/**
 * Walks over JSON text in a `ByteWindow`. It finds where the objects of long lists begin and end and reads a few whole
 * numbers in them. Strings and braces must close; all else that stands inside an object is left to `JSON.parse` when
 * the object is wanted.
 */
export class JsonScanner {
  private readonly window: ByteWindow;
  /** The next byte. */
  private pos = 0;
  /** The first mark of the window that may be at `pos` or behind. */
  private cursor = 0;
  /** What stands from here on must stay in the window; -1 when nothing must. */
  private kept = -1;

  constructor(window: ByteWindow) {
    this.window = window;
  }

  /** Offset in the file of the next byte. */
  get offset(): number {
    return this.window.base + this.pos;
  }

  /** Steps over white space; returns the byte behind it, not consumed, or 0 at the end of the file. */
  peek(): number {
    const { window } = this;
    for (;;) {
      const c = window.bytes[this.pos]!;
      if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) this.pos++;
      else if (c !== 0 || this.pos < window.end || !this.readOn(this.pos)) return c;
    }
  }

  /** Steps over a UTF-8 byte order mark. */
  skipByteOrderMark(): void {
    this.peek();
    const { bytes } = this.window;
    if (bytes[this.pos] === 0xef && bytes[this.pos + 1] === 0xbb && bytes[this.pos + 2] === 0xbf) this.pos += 3;
  }

  /** True, and the byte is consumed, when the next byte after white space is `c`. */
  accept(c: string): boolean {
    if (this.peek() !== c.charCodeAt(0)) return false;
    this.pos++;
    return true;
  }

  /** Consumes `c`, or fails saying what was wanted. */
  expect(c: string, wanted = `"${c}"`): void {
    if (!this.accept(c)) this.fail(`expected ${wanted}`);
  }

  /** Fails when anything but white space is left. */
  expectEnd(): void {
    if (this.peek() !== 0 || this.pos < this.window.end)
      this.fail('expected nothing more (files with one object per line must be named .jsonl)');
  }

  /** Fails at the next byte. */
  fail(message: string): never {
    const { window, pos } = this;
    const c = window.bytes[pos]!;
    const found =
      pos >= window.end
        ? 'the file ends'
        : c > 0x20 && c < 0x7f
          ? `found ${String.fromCharCode(c)}`
          : `found byte 0x${c.toString(16).padStart(2, '0')}`;
    throw new JsonScanError(this.offset, `${message}, ${found}`);
  }

  /** Reads a string such as a key, unescaped. */
  readString(): string {
    if (this.peek() !== QUOTE) this.fail('expected a string');
    const length = this.skipString();
    return this.unescape(this.pos - length, length);
  }

  /** Steps over one value of any kind and returns its text. All of it is in memory at once. */
  readValue(): string {
    this.peek();
    this.kept = this.pos;
    this.skipValue();
    const { window, kept, pos } = this;
    this.kept = -1;
    return Buffer.from(window.bytes.buffer, kept, pos - kept).toString('utf8');
  }

  /** Steps over one value of any kind. */
  skipValue(depth = 0): void {
    const c = this.peek();
    if (c === OPEN_BRACE) this.skipObject([], NO_VALUES);
    else if (c === QUOTE) this.skipString();
    else if (c !== OPEN_BRACKET) this.readScalar();
    else {
      if (depth === MAX_DEPTH) this.fail(`lists are nested deeper than ${MAX_DEPTH} levels`);
      this.pos++;
      if (this.accept(']')) return;
      do this.skipValue(depth + 1);
      while (this.accept(','));
      this.expect(']', '"," or "]"');
    }
  }

  /**
   * Steps over the object whose `{` is the next byte. `values[k]` becomes the number that its member `keys[k]` holds,
   * NaN where that is missing or no number; of equal keys the last counts, as in `JSON.parse`.
   */
  skipObject(keys: readonly Uint8Array[], values: Float64Array): void {
    const { window } = this;
    const begin = this.offset;
    values.fill(NaN);
    let { bytes, marks, markCount } = window;
    let cursor = this.syncedCursor();
    let depth = 0;
    for (;;) {
      if (cursor === markCount) {
        this.pos = window.end;
        if (!this.readOn(this.pos)) throw new JsonScanError(begin, 'the "{" here is never closed');
        ({ bytes, marks, markCount } = window);
        cursor = 0;
        continue;
      }
      const mark = marks[cursor++]!;
      const c = bytes[mark]!;
      if (c === OPEN_BRACE) depth++;
      else if (c === CLOSE_BRACE) {
        if (--depth > 0) continue;
        this.pos = mark + 1;
        this.cursor = cursor;
        return;
      } else if (c === QUOTE) {
        let next = cursor;
        let closing = 0;
        while (next < markCount && bytes[(closing = marks[next++]!)] !== QUOTE && bytes[closing] !== BACKSLASH);
        let slot = -1;
        if (closing > mark && bytes[closing] === QUOTE) {
          cursor = next;
          if (depth === 1) slot = slotOf(keys, bytes, mark + 1, closing);
          if (slot < 0) continue;
          this.pos = closing + 1;
        } else {
          // There are escapes in it, or it goes on behind the window.
          this.pos = mark;
          this.cursor = cursor - 1;
          const length = this.skipString();
          if (depth === 1) slot = this.slotOfEscaped(keys, length);
        }
        if (slot >= 0) this.readMember(slot, values);
        ({ bytes, marks, markCount } = window);
        cursor = this.syncedCursor();
      } else {
        this.pos = mark;
        this.fail('expected a value');
      }
    }
  }

  /** Behind a string that reads like the key of `slot`: if it is a key, reads the number that follows. */
  private readMember(slot: number, values: Float64Array): void {
    if (!this.accept(':')) return;
    const c = this.peek();
    values[slot] = c === MINUS || (c >= 0x30 && c <= 0x39) ? this.readNumber() : NaN;
    // The published Flickr30k files have sizes in quotes. The first key is an id, which must be a number.
    if (c === QUOTE && slot > 0) values[slot] = this.readQuotedNumber();
  }

  private readQuotedNumber(): number {
    const length = this.skipString();
    const text = Buffer.from(this.window.bytes.buffer, this.pos - length + 1, length - 2).toString('latin1');
    return /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  }

  /** Which of `keys` the string of `length` bytes before `pos` spells, -1 for none. */
  private slotOfEscaped(keys: readonly Uint8Array[], length: number): number {
    if (keys.length === 0 || length > LONGEST_KEY_BYTES) return -1;
    const name = Buffer.from(this.unescape(this.pos - length, length));
    return slotOf(keys, name, 0, name.length);
  }

  /** A number; the usual case, a few digits, without making a string. */
  private readNumber(): number {
    const { bytes } = this.window;
    let i = this.pos;
    const negative = bytes[i] === MINUS;
    if (negative) i++;
    const first = i;
    let value = 0;
    let c: number;
    while ((c = bytes[i]!) >= 0x30 && c <= 0x39) {
      value = value * 10 + (c - 0x30);
      i++;
    }
    const whole = c === COMMA || c === CLOSE_BRACE || c === 0x20 || c === 0x0a || c === 0x0d;
    if (!whole || i === first || i - first > MAX_EXACT_DIGITS) return Number(this.readScalar());
    this.pos = i;
    return negative ? -value : value;
  }

  /** The text of a number, `true`, `false` or `null`. */
  private readScalar(): string {
    const { window } = this;
    let length = 0;
    for (;;) {
      const i = this.pos + length;
      if (SCALAR_BYTES[window.bytes[i]!] === 1) length++;
      else if (i < window.end || !this.readOn(this.pos)) break;
    }
    const text = Buffer.from(window.bytes.buffer, this.pos, length).toString('latin1');
    // Python writes NaN and Infinity, which are no JSON; they are told apart when the row is read.
    if (!/^(?:true|false|null|NaN|-?Infinity|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(text))
      this.fail('expected a value');
    this.pos += length;
    return text;
  }

  /** Steps over the string whose quote is the next byte; returns its length in bytes, quotes included. All of it stays in the window. */
  private skipString(): number {
    const { window } = this;
    let length = 1;
    for (;;) {
      const i = this.pos + length;
      const c = window.bytes[i]!;
      if (i < window.end && c === QUOTE) break;
      if (i < window.end && c !== BACKSLASH) length++;
      else if (i + 1 < window.end) length += 2;
      else if (!this.readOn(this.pos))
        throw new JsonScanError(this.offset, 'the string that begins here is never closed');
    }
    this.pos += ++length;
    return length;
  }

  private unescape(start: number, length: number): string {
    const text = Buffer.from(this.window.bytes.buffer, start, length).toString('utf8');
    try {
      return JSON.parse(text) as string;
    } catch {
      throw new JsonScanError(this.window.base + start, `malformed string ${text.slice(0, 80)}`);
    }
  }

  private syncedCursor(): number {
    const { marks, markCount } = this.window;
    while (this.cursor < markCount && marks[this.cursor]! < this.pos) this.cursor++;
    return this.cursor;
  }

  /** Reads on, keeping what stands from `from` (not behind `pos`). False at the end of the file. */
  private readOn(from: number): boolean {
    const keep = this.kept < 0 ? from : Math.min(from, this.kept);
    if (this.window.end - keep > LONGEST_VALUE_BYTES)
      throw new JsonScanError(this.window.base + keep, 'the value that begins here is larger than 256 MB');
    this.window.refill(keep, this.pos);
    this.pos -= keep;
    if (this.kept >= 0) this.kept -= keep;
    this.cursor = 0;
    return !this.window.exhausted;
  }
}

const NO_VALUES = new Float64Array(0);

const SCALAR_BYTES = new Uint8Array(256);
for (const c of '0123456789+-.eEabcdefghijklmnopqrstuvwxyzNI') SCALAR_BYTES[c.charCodeAt(0)] = 1;

/** Which of `keys` the bytes [begin, end) are, -1 for none. */
const slotOf = (keys: readonly Uint8Array[], bytes: Uint8Array, begin: number, end: number): number => {
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k]!;
    if (key.length !== end - begin || key[0] !== bytes[begin]) continue;
    let j = 1;
    while (j < key.length && key[j] === bytes[begin + j]) j++;
    if (j === key.length) return k;
  }
  return -1;
};
