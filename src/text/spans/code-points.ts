/**
 * Character positions. The official code, its annotation files and the tokenizers count Unicode code points; JavaScript
 * strings count UTF-16 units. A character above U+FFFF (most emoji) is one code point and two units. A lone surrogate is
 * one of each.
 */

import type { CodePointSpan, Span } from './span.ts';

const surrogate = /[\uD800-\uDFFF]/;

/** Number of code points of `text`. */
export const codePointLength = (text: string): number => {
  if (!surrogate.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
};

/** Converts positions in one text between code points and UTF-16 units. Costs nothing if the text has no surrogates. */
export class CodePointMap {
  /** Number of code points of the text. */
  readonly codePoints: number;
  /** Number of UTF-16 units of the text. */
  readonly units: number;
  /** UTF-16 position of each code point and of the end; undefined if positions are equal in both units. */
  private readonly unitOf: Int32Array | undefined;

  constructor(text: string) {
    this.units = text.length;
    this.codePoints = codePointLength(text);
    if (this.codePoints === this.units) return;
    this.unitOf = new Int32Array(this.codePoints + 1);
    let index = 0;
    let unit = 0;
    for (const character of text) {
      this.unitOf[index++] = unit;
      unit += character.length;
    }
    this.unitOf[index] = unit;
  }

  /** UTF-16 position of a code point position; positions outside the text are clamped to its ends. */
  toUtf16(codePoint: number): number {
    const clamped = Math.min(Math.max(codePoint, 0), this.codePoints);
    return this.unitOf === undefined ? clamped : this.unitOf[clamped]!;
  }

  /** Range in UTF-16 units of a range in code points. */
  toSpan([begin, end]: CodePointSpan): Span {
    return { start: this.toUtf16(begin), end: this.toUtf16(end) };
  }

  /** Range in code points of a range in UTF-16 units. */
  toCodePointSpan({ start, end }: Span): CodePointSpan {
    return [this.toCodePoint(start), this.toCodePoint(end)];
  }

  /** Code point position of a UTF-16 position. The middle of a surrogate pair has the position of its character; positions outside are clamped. */
  toCodePoint(unit: number): number {
    const clamped = Math.min(Math.max(unit, 0), this.units);
    if (this.unitOf === undefined) return clamped;
    let low = 0;
    let high = this.codePoints;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.unitOf[middle]! <= clamped) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
