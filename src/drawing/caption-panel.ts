import { ASCENT, DESCENT, graphemesOf, type Typeface } from './typeface.ts';
import type { Phrase } from './phrases.ts';

/** The caption, wrapped into lines, as SVG. */
export interface CaptionPanel {
  readonly height: number;
  /** SVG elements, drawn from y = 0 on. */
  readonly svg: string;
}

export interface PanelOptions {
  readonly width: number;
  /** Font size in pixels. */
  readonly sizePx: number;
  /** Further lines are omitted, and the last one ends in "…". */
  readonly maxLines: number;
  /** A note in gray below the caption: an answer, or that nothing was found. */
  readonly note?: string | undefined;
  readonly typeface: Typeface;
}

/** One character of the caption with the phrases that cover it, innermost first. */
interface Character {
  readonly text: string;
  readonly width: number;
  readonly phrases: readonly Phrase[];
}

const PAPER = '#ffffff';
const INK = '#1a1a1a';
const FAINT_INK = '#6b6b6b';
/** Maximum number of outer phrases underlined below the innermost one's background. */
const MAX_UNDERLINES = 2;

/**
 * Typesets the caption below the image: the innermost phrase at a position has its color as background, phrases around it
 * are underlined.
 */
export const captionPanel = (caption: string, phrases: readonly Phrase[], options: PanelOptions): CaptionPanel => {
  const { width, sizePx, note, typeface } = options;
  const margin = sizePx * 0.6;
  const lineHeight = sizePx * 1.75;
  const lines = breakLines(charactersOf(typeface, caption, phrases, sizePx), width - 2 * margin);
  const shown = lines.slice(0, options.maxLines);
  if (lines.length > shown.length) shown.push(endingIn(typeface, '…', shown.pop()!, sizePx, width - 2 * margin));
  const elements: string[] = [];
  shown.forEach((line, i) => elements.push(lineSvg(typeface, line, margin, margin + i * lineHeight, sizePx)));
  let height = margin + shown.length * lineHeight;
  if (note !== undefined) {
    const text = typeface.fit(note.replace(/\s+/g, ' '), sizePx, width - 2 * margin);
    elements.push(`<path fill="${FAINT_INK}" d="${typeface.path(text, margin, height + ASCENT * sizePx, sizePx)}"/>`);
    height += lineHeight;
  }
  height = Math.ceil(height + margin * 0.4);
  return { height, svg: `<rect width="${width}" height="${height}" fill="${PAPER}"/>${elements.join('')}` };
};

const charactersOf = (typeface: Typeface, caption: string, phrases: readonly Phrase[], sizePx: number): Character[] => {
  let at = 0;
  return graphemesOf(caption).map((grapheme) => {
    const start = at;
    at += grapheme.length;
    const text = /^\s+$/.test(grapheme) ? ' ' : grapheme;
    return {
      text,
      width: typeface.width(text, sizePx),
      phrases: phrases
        .filter((phrase) => phrase.start < at && phrase.end > start)
        .sort((a, b) => a.end - a.start - (b.end - b.start)),
    };
  });
};

/** Lines of at most `maxWidth`: broken at spaces, within a word only where it is longer than a line. */
const breakLines = (characters: readonly Character[], maxWidth: number): Character[][] => {
  const lines: Character[][] = [[]];
  let lineWidth = 0;
  for (const word of wordsOf(characters)) {
    const wordWidth = word.reduce((sum, { width }) => sum + width, 0);
    const line = lines.at(-1)!;
    if (lineWidth > 0 && lineWidth + wordWidth > maxWidth) {
      if (line.at(-1)?.text === ' ') line.pop();
      lines.push([]);
      lineWidth = 0;
    }
    for (const character of word) {
      if (lineWidth > 0 && lineWidth + character.width > maxWidth) {
        lines.push([]);
        lineWidth = 0;
      }
      // A line does not start with the space that it was broken at.
      if (lineWidth === 0 && character.text === ' ' && lines.length > 1) continue;
      lines.at(-1)!.push(character);
      lineWidth += character.width;
    }
  }
  return lines.filter((line) => line.length > 0);
};

/** Runs without a space, and the spaces between them. */
const wordsOf = (characters: readonly Character[]): Character[][] => {
  const words: Character[][] = [];
  characters.forEach((character, i) => {
    if (i === 0 || (character.text === ' ') !== (characters[i - 1]!.text === ' ')) words.push([]);
    words.at(-1)!.push(character);
  });
  return words;
};

const endingIn = (
  typeface: Typeface,
  text: string,
  line: readonly Character[],
  sizePx: number,
  maxWidth: number,
): Character[] => {
  const ending: Character = { text, width: typeface.width(text, sizePx), phrases: [] };
  const kept = [...line];
  let width = kept.reduce((sum, character) => sum + character.width, ending.width);
  while (kept.length > 0 && width > maxWidth) width -= kept.pop()!.width;
  return [...kept, ending];
};

const lineSvg = (typeface: Typeface, line: readonly Character[], left: number, top: number, sizePx: number): string => {
  const baseline = top + (0.12 + ASCENT) * sizePx;
  const backgrounds: string[] = [];
  const texts: string[] = [];
  const underlines: string[] = [];
  let x = left;
  for (const run of runsOf(line, ({ phrases }) => phrases[0])) {
    const width = run.reduce((sum, character) => sum + character.width, 0);
    const color = run[0]!.phrases[0]?.color;
    if (color !== undefined)
      backgrounds.push(
        `<rect x="${px(x - sizePx * 0.1)}" y="${px(baseline - (ASCENT + 0.04) * sizePx)}" ` +
          `width="${px(width + sizePx * 0.2)}" height="${px((ASCENT + DESCENT + 0.08) * sizePx)}" ` +
          `rx="${px(sizePx * 0.15)}" fill="${color.css}"/>`,
      );
    const text = run.map((character) => character.text).join('');
    texts.push(`<path fill="${color?.ink ?? INK}" d="${typeface.path(text, x, baseline, sizePx)}"/>`);
    x += width;
  }
  for (let depth = 1; depth <= MAX_UNDERLINES; depth++) {
    x = left;
    for (const run of runsOf(line, ({ phrases }) => phrases[depth])) {
      const width = run.reduce((sum, character) => sum + character.width, 0);
      const color = run[0]!.phrases[depth]?.color;
      if (color !== undefined)
        underlines.push(
          `<rect x="${px(x)}" y="${px(baseline + (DESCENT + 0.06 + 0.13 * (depth - 1)) * sizePx)}" ` +
            `width="${px(width)}" height="${px(sizePx * 0.1)}" fill="${color.css}"/>`,
        );
      x += width;
    }
  }
  return [...backgrounds, ...underlines, ...texts].join('');
};

/** Runs of a line over which `keyOf` stays the same. */
const runsOf = (line: readonly Character[], keyOf: (character: Character) => Phrase | undefined): Character[][] => {
  const runs: Character[][] = [];
  line.forEach((character, i) => {
    if (i === 0 || keyOf(character) !== keyOf(line[i - 1]!)) runs.push([]);
    runs.at(-1)!.push(character);
  });
  return runs;
};

/** Rounds to tenths of a pixel, the precision that anti-aliasing shows. */
const px = (value: number): string => String(Math.round(value * 10) / 10);
