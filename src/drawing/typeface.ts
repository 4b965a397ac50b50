import * as opentypeModule from 'opentype.js';
import type { Font, Glyph } from 'opentype.js';

type ParseFont = (bytes: ArrayBuffer) => Font;

/** Node loads opentype.js as CommonJS with one default export, bundlers load its module with named exports. */
const exported: Readonly<Record<string, unknown>> = { ...opentypeModule };
const parseFont = (exported['parse'] ?? (exported['default'] as Record<string, unknown>)['parse']) as ParseFont;

/** Ascent and descent as fractions of the em, for capitals with accents and for descenders. */
export const ASCENT = 0.93;
export const DESCENT = 0.24;

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** Grapheme clusters of a text: an emoji of several code points is one. */
export const graphemesOf = (text: string): string[] => Array.from(graphemes.segment(text), ({ segment }) => segment);

const invisible = /^\p{Default_Ignorable_Code_Point}$/u;

/**
 * Text as outlines of a font that comes with the package: drawings look the same everywhere, also in browsers and on
 * servers without any fonts. Glyphs are set one after another, without ligatures or right-to-left order.
 */
export class Typeface {
  private readonly font: Font;

  /** Parses the bytes of a font file (WOFF, TrueType, OpenType), which takes 0.2 s. */
  constructor(bytes: Uint8Array) {
    this.font = parseFont(new Uint8Array(bytes).buffer);
  }

  /** Width of a text in pixels at `sizePx` per em. */
  width(text: string, sizePx: number): number {
    let ems = 0;
    for (const grapheme of graphemesOf(text)) for (const glyph of this.glyphs(grapheme)) ems += this.advance(glyph);
    return ems * sizePx;
  }

  /** SVG path data of a text whose baseline starts at x, y. */
  path(text: string, x: number, y: number, sizePx: number): string {
    const parts: string[] = [];
    let at = x;
    for (const grapheme of graphemesOf(text))
      for (const glyph of this.glyphs(grapheme)) {
        parts.push(glyph.getPath(at, y, sizePx).toPathData(1));
        at += this.advance(glyph) * sizePx;
      }
    return parts.join('');
  }

  /** The text, cut and ended with "…" if it is wider than `maxWidth` pixels; empty if not even that fits. */
  fit(text: string, sizePx: number, maxWidth: number): string {
    if (this.width(text, sizePx) <= maxWidth) return text;
    const kept: string[] = [];
    let width = this.width('…', sizePx);
    if (width > maxWidth) return '';
    for (const grapheme of graphemesOf(text)) {
      width += this.width(grapheme, sizePx);
      if (width > maxWidth) break;
      kept.push(grapheme);
    }
    return `${kept.join('').trimEnd()}…`;
  }

  /** Glyphs of one grapheme; one that the font lacks is an empty box. */
  private glyphs(grapheme: string): Glyph[] {
    if (/^\s+$/.test(grapheme)) return [this.font.charToGlyph(' ')];
    // Composed where possible: the font then places the accent.
    const codePoints = Array.from(grapheme.normalize('NFC')).filter((codePoint) => !invisible.test(codePoint));
    const [base, ...marks] = codePoints.map((codePoint) => this.font.charToGlyphIndex(codePoint));
    if (base === undefined) return [];
    const present = base === 0 ? [0] : [base, ...marks.filter((index) => index !== 0)];
    return present.map((index) => this.font.glyphs.get(index));
  }

  private advance(glyph: Glyph): number {
    return (glyph.advanceWidth ?? 0) / this.font.unitsPerEm;
  }
}
