import type { CocoRle } from '../geometry/run-lengths.ts';
import { type DrawingColor, neutralColor, phraseColor } from './palette.ts';

/** Fields of a detection that are drawn. */
export interface DrawableDetection {
  /** x0, y0, x1, y1 in pixels of the image. */
  readonly box: readonly [x0: number, y0: number, x1: number, y1: number];
  /** Score in 0 to 1. */
  readonly score: number;
  /** Ranges of the caption in UTF-16 units, best first. The first one names the box. */
  readonly spans: readonly { readonly start: number; readonly end: number }[];
  /** At the size of the image. */
  readonly mask?: CocoRle;
  /** Text before the phrase in the label, such as the number of a tracked object. */
  readonly tag?: string | undefined;
}

/** A range of the caption that boxes are labeled with. */
export interface Phrase {
  /** UTF-16 units of the caption. */
  readonly start: number;
  /** Index after the last character. */
  readonly end: number;
  /** The phrase. */
  readonly text: string;
  /** Color of the phrase and of its boxes. */
  readonly color: DrawingColor;
}

/** A detection with its phrase; undefined if it has no phrase. */
export interface NamedDetection {
  /** The detection. */
  readonly detection: DrawableDetection;
  /** Phrase of its best span; undefined without spans. */
  readonly phrase: Phrase | undefined;
}

/** Color of a detection: that of its phrase. */
export const colorOf = ({ phrase }: NamedDetection): DrawingColor => phrase?.color ?? neutralColor;

/**
 * Phrases that label the detections, in the order of the caption, one color each, and the detections that can be drawn
 * (those with finite boxes), best first.
 */
export const nameDetections = (
  detections: readonly DrawableDetection[],
  caption: string,
): { phrases: readonly Phrase[]; named: readonly NamedDetection[] } => {
  const drawable = detections.filter(({ box }) => box.every(Number.isFinite));
  const ranges = new Map<string, { start: number; end: number }>();
  const keyOf = ({ spans }: DrawableDetection): string | undefined => {
    const [first] = spans;
    if (first === undefined) return undefined;
    const start = Math.max(first.start, 0);
    const end = Math.min(first.end, caption.length);
    if (!(start < end)) return undefined;
    const key = `${start}:${end}`;
    ranges.set(key, { start, end });
    return key;
  };
  const keys = drawable.map(keyOf);
  const ordered = [...ranges].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  const phrases = new Map(
    ordered.map(([key, { start, end }], i): [string, Phrase] => [
      key,
      { start, end, text: caption.slice(start, end).replace(/\s+/g, ' ').trim(), color: phraseColor(i) },
    ]),
  );
  const named = drawable
    .map((detection, i): NamedDetection => ({ detection, phrase: phrases.get(keys[i] ?? '') }))
    .sort((a, b) => b.detection.score - a.detection.score);
  return { phrases: [...phrases.values()], named };
};
