import { statedImageId } from '../../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import type { FlickrGroundTruth } from '../../metrics/flickr-recall.ts';

/** A phrase of a caption, and the boxes it refers to. */
interface Phrase {
  readonly spans: readonly CodePointSpan[];
  readonly boxesXyxy: readonly (readonly number[])[];
}

const overlaps = ([start, end]: CodePointSpan, [otherStart, otherEnd]: CodePointSpan): boolean =>
  start < otherEnd && otherStart < end;

/**
 * Phrases of a row that have boxes: those of `tokens_positive_eval` with the boxes whose spans overlap theirs. Without
 * that field, boxes with the same spans make a phrase.
 */
export const phrasesOf = ({ image, annotations }: CocoRow): readonly Phrase[] => {
  const objects = annotations
    .filter(({ iscrowd }) => iscrowd !== 1)
    .map(({ bbox: [x, y, width, height], tokens, tokens_positive: spans = [] }) => ({
      spans: tokens ?? spans,
      box: [x, y, x + width, y + height],
    }))
    .filter(({ spans }) => spans.length > 0);
  const phrases = image.tokens_positive_eval ?? [
    ...new Map(objects.map(({ spans }) => [JSON.stringify(spans), spans])).values(),
  ];
  const isListed = image.tokens_positive_eval !== undefined;
  return phrases
    .map((spans) => ({
      spans,
      boxesXyxy: objects
        .filter((object) =>
          isListed
            ? object.spans.some((own) => spans.some((span) => overlaps(own, span)))
            : JSON.stringify(object.spans) === JSON.stringify(spans),
        )
        .map(({ box }) => box),
    }))
    .filter(({ boxesXyxy }) => boxesXyxy.length > 0);
};

/** Ground truth of a row: one image with one sentence. */
export const groundTruthOf = (row: CocoRow): FlickrGroundTruth => {
  const phrases = phrasesOf(row);
  return {
    imageId: String(statedImageId(row.image)),
    boxes: new Map(phrases.map(({ boxesXyxy }, index) => [String(index), boxesXyxy])),
    sentences: [phrases.map((_, index) => ({ phraseId: String(index), phraseTypes: [] }))],
  };
};
