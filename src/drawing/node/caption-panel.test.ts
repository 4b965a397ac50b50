import { describe, expect, it } from 'vitest';
import { captionPanel } from '../caption-panel.ts';
import { graphemesOf } from '../typeface.ts';
import { typeface as openTypeface } from './platform.ts';
import { neutralColor, phraseColor } from '../palette.ts';
import { nameDetections } from '../phrases.ts';

const sizePx = 20;
const typeface = openTypeface();
const linesOf = (caption: string, width: number, maxLines = 99): number =>
  Math.floor(captionPanel(caption, [], { width, sizePx, maxLines, typeface }).height / (sizePx * 1.75));

describe('captionPanel', () => {
  it('breaks lines at words, and long words anywhere', () => {
    expect(linesOf('a dog', 400)).toBe(1);
    expect(linesOf('a dog '.repeat(40), 400)).toBeGreaterThan(5);
    expect(linesOf('w'.repeat(200), 400)).toBe(Math.ceil(200 / Math.floor((400 - 24) / typeface.width('w', sizePx))));
    expect(linesOf('', 400)).toBe(0);
  });

  it('stops after the lines that there is room for', () => {
    expect(linesOf('a dog '.repeat(400), 400, 3)).toBe(3);
  });

  it('gives the innermost phrase the background and the outer one a line', () => {
    const caption = 'a man in a red coat';
    const { phrases } = nameDetections(
      [
        { box: [0, 0, 1, 1], score: 1, spans: [{ start: 0, end: 19 }] },
        { box: [0, 0, 1, 1], score: 1, spans: [{ start: 9, end: 19 }] },
      ],
      caption,
    );
    const { svg } = captionPanel(caption, phrases, { width: 600, sizePx, maxLines: 3, typeface });
    const [outer, inner] = [phraseColor(0).css, phraseColor(1).css];
    const heightsOf = (css: string): number[] =>
      [...svg.matchAll(new RegExp(`height="([0-9.]+)"[^>]*fill="${css}"`, 'g'))].map(([, height]) => Number(height));
    // Its own part as background, and a thin line under the inner phrase.
    expect(heightsOf(outer)).toHaveLength(2);
    expect(heightsOf(outer)[0]).toBeGreaterThan(sizePx);
    expect(heightsOf(outer)[1]).toBeLessThan(sizePx / 5);
    expect(heightsOf(inner)).toEqual([heightsOf(outer)[0]]);
  });
});

describe('Typeface', () => {
  it('measures and draws without ever failing on a character', () => {
    expect(typeface.width('mm', 10)).toBeCloseTo(2 * typeface.width('m', 10), 6);
    expect(typeface.width('e\u0301', 10)).toBe(typeface.width('é', 10));
    // One box for a family of three, as for any character that the font lacks.
    expect(graphemesOf('👩‍👩‍👧长')).toEqual(['👩‍👩‍👧', '长']);
    expect(typeface.width('👩‍👩‍👧', 10)).toBe(typeface.width('长', 10));
    expect(typeface.path('长', 0, 0, 10)).not.toBe('');
    expect(typeface.path('\u200b', 0, 0, 10)).toBe('');
    for (let codePoint = 0; codePoint < 0x3000; codePoint += 7)
      expect(typeface.width(String.fromCodePoint(codePoint), 10)).toBeGreaterThanOrEqual(0);
  });

  it('cuts text to a width', () => {
    expect(typeface.fit('a dog', 10, 500)).toBe('a dog');
    const cut = typeface.fit('a very long dog indeed', 10, 60);
    expect(cut.endsWith('…')).toBe(true);
    expect(typeface.width(cut, 10)).toBeLessThanOrEqual(60);
    expect(typeface.fit('dog', 10, 1)).toBe('');
  });
});

describe('palette', () => {
  it('has eleven colors that differ, with readable ink, then the same dashed', () => {
    const colors = Array.from({ length: 11 }, (_, i) => phraseColor(i));
    expect(new Set(colors.map(({ css }) => css)).size).toBe(11);
    expect(colors.some(({ dashed }) => dashed)).toBe(false);
    expect(phraseColor(11)).toEqual({ ...phraseColor(0), dashed: true });
    expect(phraseColor(2).ink).toBe('#000000');
    expect(phraseColor(7).ink).toBe('#ffffff');
    expect(neutralColor.ink).toBe('#000000');
  });
});
