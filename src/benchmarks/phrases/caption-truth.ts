import type { CocoRow } from '../../data/format/coco-format.ts';
import { type BoxXyxy, boxXywhToXyxy } from '../../geometry/boxes.ts';
import { captionPhrases, CodePointMap, wordSpans, type CodePointSpan, type Span } from '../../text/index.ts';

/** Ground truth of a caption in an annotation row. Ranges are in UTF-16 units. */
export interface CaptionTruth {
  readonly caption: string;
  readonly boxes: readonly BoxXyxy[];
  /** Phrases with a box. */
  readonly present: readonly Span[];
  /** Phrases that the row marks as absent. */
  readonly absent: readonly Span[];
}

/**
 * The boxes, present and absent phrases of an annotation row. A span of `tokens_negative` is an absent phrase if it overlaps
 * no span with a box; a span of a whole caption with several phrases, which official files have, says nothing about one.
 */
export const captionTruth = ({ image, annotations }: CocoRow): CaptionTruth => {
  const caption = image.caption ?? '';
  const points = new CodePointMap(caption);
  const rangeOf = (span: CodePointSpan): Span => points.toSpan(span);
  const kept = annotations.filter(({ iscrowd = 0 }) => iscrowd === 0);
  const present = distinct(
    kept.flatMap(({ tokens, tokens_positive }) => (tokens ?? tokens_positive ?? []).map(rangeOf)),
  );
  const isWholeSentence = ({ start, end }: Span): boolean =>
    end - start >= caption.trim().length - 1 && captionPhrases(caption).length > 1;
  const absent = distinct((image.tokens_negative ?? []).map(rangeOf)).filter(
    (range) => !isWholeSentence(range) && present.every(({ start, end }) => range.end <= start || range.start >= end),
  );
  return { caption, boxes: kept.map(({ bbox }) => boxXywhToXyxy(bbox)), present, absent };
};

/** Whether no content word of `phrase` occurs in any of the texts. */
export const isForeign = (phrase: string, texts: readonly string[]): boolean => {
  const known = new Set(texts.flatMap(wordsOf));
  const own = wordsOf(phrase);
  // The last word is the noun of nearly every English phrase. Adjectives may be shared.
  const noun = own.at(-1);
  return noun !== undefined && !known.has(noun) && !known.has(noun.replace(/s$/, '')) && !known.has(`${noun}s`);
};

const wordsOf = (text: string): string[] =>
  wordSpans(text).map(({ start, end }) => text.slice(start, end).toLowerCase());

const distinct = (ranges: readonly Span[]): Span[] => [
  ...new Map(
    ranges.filter(({ start, end }) => end > start).map((range) => [`${range.start}:${range.end}`, range]),
  ).values(),
];
