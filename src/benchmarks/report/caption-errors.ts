import { bestOverlap, MATCH_IOU } from '../../geometry/box-overlap.ts';
import type { BoxXyxy } from '../../geometry/boxes.ts';
import type { Span } from '../../text/index.ts';
import type { InspectedPhrase } from './inspected-caption.ts';

/**
 * Kinds of errors: an object without a box (`missed`), a second box of an object (`twice`), a box of a phrase where none of
 * its objects is (`place`), a box of an object with another phrase (`phrase`), a box of a phrase that the image does not show
 * (`absent`).
 */
export type ErrorKind = 'missed' | 'twice' | 'place' | 'phrase' | 'absent';
/** All kinds of errors, in the order of reports. */
export const ERROR_KINDS: readonly ErrorKind[] = ['missed', 'twice', 'place', 'phrase', 'absent'];

/** Outcome of a detection; `unjudged` if it names words for which the ground truth has no phrase. */
export type Outcome = 'correct' | Exclude<ErrorKind, 'missed'> | 'unjudged';

/** A detection above the threshold. */
export interface JudgedDetection {
  readonly box: BoxXyxy;
  /** Index of the phrase that it names, -1 for none. */
  readonly phrase: number;
  readonly outcome: Outcome;
  /** Overlap with the object that it is a box of; 0 if there is none. */
  readonly iou: number;
}

/** Outcomes of the detections of a caption, and the objects that it misses. */
export interface JudgedCaption {
  /** In the order of the detections. */
  readonly detections: readonly JudgedDetection[];
  /** Objects without a correct box, each with its phrase. */
  readonly missed: readonly { readonly phrase: number; readonly box: BoxXyxy }[];
  /** Number of objects: pairs of a phrase and a box. */
  readonly objects: number;
}

/**
 * Judges the detections of a caption, best first: each is the box of the free object of its phrase that it overlaps most, if
 * by 0.5 or more.
 */
export const judgeCaption = (
  phrases: readonly InspectedPhrase[],
  detections: readonly { readonly box: BoxXyxy; readonly spans: readonly Span[] }[],
): JudgedCaption => {
  const free = phrases.map(({ boxes }) => new Set(boxes.keys()));
  const judged = detections.map(({ box, spans }): JudgedDetection => {
    const phrase = phraseOf(spans[0], phrases);
    const named = phrases[phrase];
    if (named === undefined) return { box, phrase, outcome: 'unjudged', iou: 0 };
    if (named.boxes.length === 0) return { box, phrase, outcome: 'absent', iou: 0 };
    const best = bestOverlap(box, named.boxes, free[phrase]);
    if (best.iou >= MATCH_IOU) {
      free[phrase]!.delete(best.index);
      return { box, phrase, outcome: 'correct', iou: best.iou };
    }
    const again = bestOverlap(box, named.boxes).iou;
    if (again >= MATCH_IOU) return { box, phrase, outcome: 'twice', iou: again };
    const other = Math.max(...phrases.map(({ boxes }) => bestOverlap(box, boxes).iou));
    return { box, phrase, outcome: other >= MATCH_IOU ? 'phrase' : 'place', iou: other };
  });
  const missed = free.flatMap((indices, phrase) =>
    [...indices].map((index) => ({ phrase, box: phrases[phrase]!.boxes[index]! })),
  );
  return { detections: judged, missed, objects: phrases.reduce((sum, { boxes }) => sum + boxes.length, 0) };
};

/** Index of the phrase that shares most letters with a span, -1 if none does. */
const phraseOf = (span: Span | undefined, phrases: readonly InspectedPhrase[]): number => {
  if (span === undefined) return -1;
  let [best, most] = [-1, 0];
  phrases.forEach(({ spans }, index) => {
    const shared = spans.reduce(
      (sum, { start, end }) => sum + Math.max(0, Math.min(end, span.end) - Math.max(start, span.start)),
      0,
    );
    if (shared > most) [best, most] = [index, shared];
  });
  return best;
};
