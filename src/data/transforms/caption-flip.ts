import { CodePointMap } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';

/**
 * How a caption changes with a horizontal flip of its image.
 * - `words`: swaps the words left and right, also in leftmost, right-hand and the like, and moves spans accordingly.
 * - `official`: swaps every lower-case "left" and "right", even within bright and cleft, and keeps spans.
 * - `keep`: keeps the caption.
 */
export type FlipMode = 'words' | 'official' | 'keep';

/** Caption of a horizontally flipped image. */
export interface FlippedCaption {
  /** Caption with left and right swapped. */
  readonly caption: string;
  /** Maps a span of the old caption to the new one, both in code points. */
  readonly moveSpan: (span: CodePointSpan) => CodePointSpan;
}

const SIDE_WORDS = /(?<![\p{L}\p{N}])(?:left|right)(?=(?:most|hand|side|wards?)?(?![\p{L}\p{N}]))/giu;

/** The caption of the flipped image. */
export const flipCaption = (caption: string, mode: FlipMode): FlippedCaption => {
  if (mode === 'keep') return { caption, moveSpan: (span) => span };
  if (mode === 'official')
    return {
      caption: caption.replace(/left|right/g, (side) => (side === 'left' ? 'right' : 'left')),
      moveSpan: (span) => span,
    };
  const swaps = [...caption.matchAll(SIDE_WORDS)].map(({ 0: word, index }) => ({
    start: index,
    end: index + word.length,
    replacement: otherSide(word),
  }));
  const flipped = caption.replace(SIDE_WORDS, otherSide);
  const move = (unit: number): number => {
    let shift = 0;
    for (const { start, end, replacement } of swaps) {
      if (end <= unit) shift += replacement.length - (end - start);
      // A position within a word keeps its distance from the word's start, up to the end of the new word.
      else if (start < unit) return start + shift + Math.min(unit - start, replacement.length);
    }
    return unit + shift;
  };
  const [before, after] = [new CodePointMap(caption), new CodePointMap(flipped)];
  const moveCodePoint = (position: number): number => after.toCodePoint(move(before.toUtf16(position)));
  return { caption: flipped, moveSpan: ([begin, end]) => [moveCodePoint(begin), moveCodePoint(end)] };
};

const otherSide = (word: string): string => {
  const other = word.toLowerCase() === 'left' ? 'right' : 'left';
  if (word === word.toUpperCase()) return other.toUpperCase();
  return word.startsWith('L') || word.startsWith('R') ? other[0]!.toUpperCase() + other.slice(1) : other;
};
