import { CodePointMap } from '../../text/spans/code-points.ts';
import type { Span } from '../format/coco-format.ts';

/**
 * How a caption follows its mirrored image.
 * - `words`: the words left and right change places, also in leftmost, right-hand and the like, and spans move along.
 * - `official`: every "left" and "right" in lower case changes, even within bright and cleft, and spans stay.
 * - `keep`: the caption stays.
 */
export type FlipMode = 'words' | 'official' | 'keep';

export interface FlippedCaption {
  readonly caption: string;
  /** Where a span of the old caption lies in the new one; both count code points. */
  readonly moveSpan: (span: Span) => Span;
}

const sideWords = /(?<![\p{L}\p{N}])(?:left|right)(?=(?:most|hand|side|wards?)?(?![\p{L}\p{N}]))/giu;

/** The caption of the mirrored image. */
export const flipCaption = (caption: string, mode: FlipMode): FlippedCaption => {
  if (mode === 'keep') return { caption, moveSpan: (span) => span };
  if (mode === 'official')
    return {
      caption: caption.replace(/left|right/g, (side) => (side === 'left' ? 'right' : 'left')),
      moveSpan: (span) => span,
    };
  const swaps = [...caption.matchAll(sideWords)].map(({ 0: word, index }) => ({
    start: index,
    end: index + word.length,
    replacement: otherSide(word),
  }));
  const flipped = caption.replace(sideWords, otherSide);
  const move = (unit: number): number => {
    let shift = 0;
    for (const { start, end, replacement } of swaps) {
      if (end <= unit) shift += replacement.length - (end - start);
      // A position within the word keeps its distance from the word's start, as far as the new word goes.
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
