import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import opentype, { type Font, type Glyph } from 'opentype.js';

/**
 * Text as outlines of a font that comes with the package: drawings look the same everywhere, also on servers and in
 * containers without any fonts. Glyphs are set one after another, without ligatures or right-to-left order.
 */

const fontFile = '@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff';

let loaded: Font | undefined;
/** Parsed at first use: it takes 0.2 s. */
const font = (): Font => {
  if (loaded === undefined) {
    const bytes = readFileSync(createRequire(import.meta.url).resolve(fontFile));
    loaded = opentype.parse(new Uint8Array(bytes).buffer);
  }
  return loaded;
};

/** What of the em lies above and below the baseline, for capitals with accents and for descenders. */
export const ascent = 0.93;
export const descent = 0.24;

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** A text's characters as people count them: an emoji of several code points is one. */
export const graphemesOf = (text: string): string[] => Array.from(graphemes.segment(text), ({ segment }) => segment);

const invisible = /^\p{Default_Ignorable_Code_Point}$/u;

/** Glyphs of one character; a character that the font lacks is one empty box. */
const glyphsOf = (grapheme: string): Glyph[] => {
  if (/^\s+$/.test(grapheme)) return [font().charToGlyph(' ')];
  // Composed where that exists: the font places the accent, we do not.
  const codePoints = Array.from(grapheme.normalize('NFC')).filter((codePoint) => !invisible.test(codePoint));
  const [base, ...marks] = codePoints.map((codePoint) => font().charToGlyphIndex(codePoint));
  if (base === undefined) return [];
  const present = base === 0 ? [0] : [base, ...marks.filter((index) => index !== 0)];
  return present.map((index) => font().glyphs.get(index));
};

const advanceOf = (glyph: Glyph): number => (glyph.advanceWidth ?? 0) / font().unitsPerEm;

/** Width of a text in pixels at `sizePx` per em. */
export const textWidth = (text: string, sizePx: number): number => {
  let ems = 0;
  for (const grapheme of graphemesOf(text)) for (const glyph of glyphsOf(grapheme)) ems += advanceOf(glyph);
  return ems * sizePx;
};

/** SVG path data of a text whose baseline starts at x, y. */
export const textPath = (text: string, x: number, y: number, sizePx: number): string => {
  const parts: string[] = [];
  let at = x;
  for (const grapheme of graphemesOf(text))
    for (const glyph of glyphsOf(grapheme)) {
      parts.push(glyph.getPath(at, y, sizePx).toPathData(1));
      at += advanceOf(glyph) * sizePx;
    }
  return parts.join('');
};

/** The text, cut and ended with "…" where it is wider than `maxWidth` pixels; empty where not even that fits. */
export const fitText = (text: string, sizePx: number, maxWidth: number): string => {
  if (textWidth(text, sizePx) <= maxWidth) return text;
  const kept = [];
  let width = textWidth('…', sizePx);
  if (width > maxWidth) return '';
  for (const grapheme of graphemesOf(text)) {
    width += textWidth(grapheme, sizePx);
    if (width > maxWidth) break;
    kept.push(grapheme);
  }
  return `${kept.join('').trimEnd()}…`;
};
