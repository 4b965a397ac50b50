import { excerpt } from '../../errors.ts';
import { Buffer } from 'node:buffer';
import { foreignContent, HEAD_BYTES } from '../../files/text-encoding.ts';
import type { ByteWindow } from './byte-window.ts';
import { isPythonScalar, isScalarByte, keySlot } from './json-bytes.ts';

/** Error in the JSON of a file. `offset` counts bytes from the start of the file. */
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
/** Maximum size of a value that is read into memory; a JavaScript string ends at 512 MB. */
const MAX_VALUE_BYTES = 256 * 1024 * 1024;
/** Maximum size of a key that can match: no requested key is longer, even with every letter escaped. */
const MAX_KEY_BYTES = 200;
/** Maximum number of digits that a double holds exactly. */
const MAX_EXACT_DIGITS = 15;

/**
 * Scans the JSON text in a `ByteWindow`: finds where the objects of long lists begin and end, and reads a few integers in
 * them. Checks that strings and braces are closed; the rest of an object is checked by `JSON.parse` when it is read.
 */
export class JsonScanner {
  private readonly window: ByteWindow;
  /** Position of the next byte in the window. */
  private pos = 0;
  /** Index of the first mark of the window at or after `pos`. */
  private cursor = 0;
  /** Position from which bytes must stay in the window; -1 when none must. */
  private kept = -1;

  constructor(window: ByteWindow) {
    this.window = window;
  }

  /** Offset of the next byte in the file. */
  get offset(): number {
    return this.window.base + this.pos;
  }

  /** Skips white space. Returns the next byte without consuming it, 0 at the end of the file. */
  peek(): number {
    const { window } = this;
    for (;;) {
      const c = window.bytes[this.pos]!;
      if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) this.pos++;
      else if (c !== 0 || this.pos < window.end || !this.readMore(this.pos)) return c;
    }
  }

  /** Skips a UTF-8 byte order mark at the start of the file. Fails if the file has another encoding or is not text. */
  skipByteOrderMark(): void {
    this.peek();
    const { bytes, end } = this.window;
    const foreign = foreignContent(bytes.subarray(0, Math.min(end, HEAD_BYTES)));
    if (foreign !== undefined) throw new JsonScanError(0, `the file is ${foreign}`);
    if (bytes[this.pos] === 0xef && bytes[this.pos + 1] === 0xbb && bytes[this.pos + 2] === 0xbf) this.pos += 3;
  }

  /** Consumes the next byte after white space if it is `c`. Returns whether it was. */
  accept(c: string): boolean {
    if (this.peek() !== c.charCodeAt(0)) return false;
    this.pos++;
    return true;
  }

  /** Consumes `c`, or fails with what was expected. */
  expect(c: string, wanted = `"${c}"`): void {
    if (!this.accept(c)) this.fail(`expected ${wanted}`);
  }

  /** Fails unless only white space is left. */
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

  /** Reads a string and unescapes it. */
  readString(): string {
    if (this.peek() !== QUOTE) this.fail('expected a string');
    const length = this.skipString();
    return this.unescape(this.pos - length, length);
  }

  /** Skips a value of any type and returns its text, which must fit in memory. */
  readValue(): string {
    this.peek();
    this.kept = this.pos;
    this.skipValue();
    const { window, kept, pos } = this;
    this.kept = -1;
    return Buffer.from(window.bytes.buffer, kept, pos - kept).toString('utf8');
  }

  /** Skips a value of any type. */
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
   * Skips the object whose `{` is the next byte. Sets `values[k]` to the number under `keys[k]`, NaN where it is missing or
   * not a number; an id (the first key) that is a string is replaced by the result of `stringId`. Of equal keys the last one is
   * used; reading the object refuses them.
   */
  skipObject(keys: readonly Uint8Array[], values: Float64Array, stringId?: (id: string) => number): void {
    const { window } = this;
    const begin = this.offset;
    values.fill(NaN);
    let { bytes, marks, markCount } = window;
    let cursor = this.syncedCursor();
    let depth = 0;
    for (;;) {
      if (cursor === markCount) {
        this.pos = window.end;
        if (!this.readMore(this.pos)) throw new JsonScanError(begin, 'the "{" here is never closed');
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
          if (depth === 1) slot = keySlot(keys, bytes, mark + 1, closing);
          if (slot < 0) continue;
          this.pos = closing + 1;
        } else {
          // The string has escapes, or continues after the window.
          this.pos = mark;
          this.cursor = cursor - 1;
          const length = this.skipString();
          if (depth === 1) slot = this.slotOfEscaped(keys, length);
        }
        if (slot >= 0) this.readMember(slot, values, stringId);
        ({ bytes, marks, markCount } = window);
        cursor = this.syncedCursor();
      } else {
        this.pos = mark;
        this.fail('expected a value');
      }
    }
  }

  /** Reads the number after a string equal to the key of `slot`, if the string is a key. */
  private readMember(slot: number, values: Float64Array, stringId: ((id: string) => number) | undefined): void {
    if (!this.accept(':')) return;
    const c = this.peek();
    values[slot] = c === MINUS || (c >= 0x30 && c <= 0x39) ? this.readNumber() : NaN;
    if (c !== QUOTE) return;
    // The published Flickr30k files have sizes in quotes.
    if (slot > 0) values[slot] = this.readQuotedNumber();
    else if (stringId !== undefined) values[slot] = stringId(this.readString());
  }

  private readQuotedNumber(): number {
    const length = this.skipString();
    const text = Buffer.from(this.window.bytes.buffer, this.pos - length + 1, length - 2).toString('latin1');
    return /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  }

  /** Index of the key that equals the string of `length` bytes before `pos`; -1 for none. */
  private slotOfEscaped(keys: readonly Uint8Array[], length: number): number {
    if (keys.length === 0 || length > MAX_KEY_BYTES) return -1;
    const name = Buffer.from(this.unescape(this.pos - length, length));
    return keySlot(keys, name, 0, name.length);
  }

  /** Reads a number; the usual case, a few digits, without creating a string. */
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
    const isInteger = c === COMMA || c === CLOSE_BRACE || c === 0x20 || c === 0x0a || c === 0x0d;
    if (!isInteger || i === first || i - first > MAX_EXACT_DIGITS) return Number(this.readScalar());
    this.pos = i;
    return negative ? -value : value;
  }

  /** Reads the text of a number, `true`, `false` or `null`. */
  private readScalar(): string {
    const { window } = this;
    let length = 0;
    for (;;) {
      const i = this.pos + length;
      if (isScalarByte(window.bytes[i]!)) length++;
      else if (i < window.end || !this.readMore(this.pos)) break;
    }
    const text = Buffer.from(window.bytes.buffer, this.pos, length).toString('latin1');
    if (!isPythonScalar(text)) this.fail('expected a value');
    this.pos += length;
    return text;
  }

  /** Skips the string whose quote is the next byte; it stays in the window. Returns its length in bytes, including quotes. */
  private skipString(): number {
    const { window } = this;
    let length = 1;
    for (;;) {
      const i = this.pos + length;
      const c = window.bytes[i]!;
      if (i < window.end && c === QUOTE) break;
      if (i < window.end && c !== BACKSLASH) length++;
      else if (i + 1 < window.end) length += 2;
      else if (!this.readMore(this.pos))
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
      throw new JsonScanError(this.window.base + start, `malformed string ${excerpt(text)}`);
    }
  }

  private syncedCursor(): number {
    const { marks, markCount } = this.window;
    while (this.cursor < markCount && marks[this.cursor]! < this.pos) this.cursor++;
    return this.cursor;
  }

  /** Reads more of the file and keeps the bytes from `from` (at most `pos`) on. Returns false at the end of the file. */
  private readMore(from: number): boolean {
    const keep = this.kept < 0 ? from : Math.min(from, this.kept);
    if (this.window.end - keep > MAX_VALUE_BYTES)
      throw new JsonScanError(this.window.base + keep, 'the value that begins here is larger than 256 MB');
    this.window.refill(keep, this.pos);
    this.pos -= keep;
    if (this.kept >= 0) this.kept -= keep;
    this.cursor = 0;
    return !this.window.exhausted;
  }
}

const NO_VALUES = new Float64Array(0);
