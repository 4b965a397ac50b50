import type { Span } from '../../data/format/coco-format.ts';

/** A caption as its code points: what spans count. */
export const codePointsOf = (caption: string): string[] => Array.from(caption);

export const shiftSpans = (spans: readonly Span[], offset: number): Span[] =>
  spans.map(([begin, end]) => [begin + offset, end + offset]);

/** True when the two ranges share a character. An empty range meets what it lies inside of or at the beginning of. */
export const spansMeet = (a: Span, b: Span): boolean => (a[0] <= b[0] && b[0] < a[1]) || (b[0] <= a[0] && a[0] < b[1]);

/** True when any span of one list meets any of the other. */
export const spanListsMeet = (a: readonly Span[], b: readonly Span[]): boolean =>
  a.some((span) => b.some((other) => spansMeet(span, other)));

/**
 * The official clean-up of spans: sorted, overlapping ones merged, trimmed to letters and digits at both ends, widened
 * to whole hyphenated words, empty ones dropped; then all of it once more.
 */
export const consolidateSpans = (spans: readonly Span[], caption: readonly string[]): Span[] =>
  consolidateOnce(consolidateOnce(spans, caption), caption);

const consolidateOnce = (spans: readonly Span[], caption: readonly string[]): Span[] => {
  const clean: Span[] = [];
  for (const span of mergedSpans(spans)) {
    const [begin, end] = wholeWords(span, caption);
    if (begin >= 0 && begin < end && end <= caption.length) clean.push([begin, end]);
  }
  return clean;
};

/** Spans that touch without overlapping stay two. */
const mergedSpans = (spans: readonly Span[]): Span[] => {
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

const wholeWords = ([first, last]: Span, caption: readonly string[]): [begin: number, end: number] => {
  let begin = first;
  let end = Math.min(last, caption.length);
  while (begin < caption.length && !isAlphanumeric(caption[begin]!)) begin++;
  while (end > 0 && !isAlphanumeric(caption[end - 1]!)) end--;
  if (caption[end] === '-') {
    // Up to and with the next space; the second clean-up takes the space away again.
    const space = caption.indexOf(' ', end);
    end = space < 0 ? caption.length : space + 1;
  }
  if (begin > 0 && caption[begin - 1] === '-') begin = caption.lastIndexOf(' ', begin - 1) + 1;
  return [begin, end];
};

/** As Python's `str.isalnum`: letters and everything of numeric value. */
const isAlphanumeric = (character: string): boolean => /^[\p{L}\p{N}]$/u.test(character);
