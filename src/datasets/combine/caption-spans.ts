import type { CodePointSpan } from '../../text/spans/span.ts';

/** Splits a caption into code points, the unit that spans count. */
export const codePointsOf = (caption: string): string[] => Array.from(caption);

/** Spans moved by a number of code points. */
export const shiftSpans = (spans: readonly CodePointSpan[], offset: number): CodePointSpan[] =>
  spans.map(([begin, end]) => [begin + offset, end + offset]);

/** Whether two ranges share a character. An empty range overlaps ranges that contain it or begin at it. */
const spansOverlap = (a: CodePointSpan, b: CodePointSpan): boolean =>
  (a[0] <= b[0] && b[0] < a[1]) || (b[0] <= a[0] && a[0] < b[1]);

/** Whether any span of one list overlaps any span of the other. */
export const spanListsOverlap = (a: readonly CodePointSpan[], b: readonly CodePointSpan[]): boolean =>
  a.some((span) => b.some((other) => spansOverlap(span, other)));

/**
 * Consolidates spans like the official script: sorts them, merges overlapping ones, trims them to letters and digits at
 * both ends, extends them to entire hyphenated words and drops empty ones; then repeats all of it once.
 */
export const consolidateSpans = (spans: readonly CodePointSpan[], caption: readonly string[]): CodePointSpan[] =>
  consolidateOnce(consolidateOnce(spans, caption), caption);

const consolidateOnce = (spans: readonly CodePointSpan[], caption: readonly string[]): CodePointSpan[] => {
  const clean: CodePointSpan[] = [];
  for (const span of mergedSpans(spans)) {
    const [begin, end] = completeWords(span, caption);
    if (begin >= 0 && begin < end && end <= caption.length) clean.push([begin, end]);
  }
  return clean;
};

/** Sorts spans and merges overlapping ones. Adjacent spans stay separate. */
const mergedSpans = (spans: readonly CodePointSpan[]): CodePointSpan[] => {
  const sorted = spans.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  const merged: [number, number][] = [];
  let reach = -1;
  for (const [begin, end] of sorted) {
    if (begin >= reach) merged.push([begin, end]);
    reach = Math.max(reach, end);
    merged.at(-1)![1] = reach;
  }
  return merged;
};

const completeWords = ([first, last]: CodePointSpan, caption: readonly string[]): [begin: number, end: number] => {
  let begin = first;
  let end = Math.min(last, caption.length);
  while (begin < caption.length && !isAlphanumeric(caption[begin]!)) begin++;
  while (end > 0 && !isAlphanumeric(caption[end - 1]!)) end--;
  if (caption[end] === '-') {
    // Include the next space; the second pass removes it again.
    const space = caption.indexOf(' ', end);
    end = space < 0 ? caption.length : space + 1;
  }
  if (begin > 0 && caption[begin - 1] === '-') begin = caption.lastIndexOf(' ', begin - 1) + 1;
  return [begin, end];
};

/** Equivalent of Python's `str.isalnum`: letters and numeric characters. */
const isAlphanumeric = (character: string): boolean => /^[\p{L}\p{N}]$/u.test(character);
