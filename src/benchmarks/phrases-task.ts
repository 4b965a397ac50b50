import type { CocoRow, Span } from '../data/format/coco-format.ts';
import { FlickrRecallEvaluator, type FlickrGroundTruth } from '../metrics/flickr-recall.ts';
import { rankBoxesByPhrase } from '../postprocess/phrase-boxes.ts';
import { createPositiveMap } from '../text/index.ts';
import type { Benchmark, TaskDefinition } from './task-definition.ts';

/** Words of a caption that name something, and the boxes of what they name. */
interface Phrase {
  readonly spans: readonly Span[];
  readonly boxesXyxy: readonly (readonly number[])[];
}

const meet = ([begin, end]: Span, [otherBegin, otherEnd]: Span): boolean => begin < otherEnd && otherBegin < end;

/**
 * The phrases of a row that have boxes: those of `tokens_positive_eval` with the boxes whose words meet theirs; where
 * that is missing, boxes with the same words make a phrase.
 */
export const phrasesOf = ({ image, annotations }: CocoRow): readonly Phrase[] => {
  const objects = annotations
    .filter(({ iscrowd }) => iscrowd !== 1)
    .map(({ bbox: [x, y, width, height], tokens, tokens_positive: spans = [] }) => ({
      spans: tokens ?? spans,
      box: [x, y, x + width, y + height],
    }))
    .filter(({ spans }) => spans.length > 0);
  const named = image.tokens_positive_eval ?? [
    ...new Map(objects.map(({ spans }) => [JSON.stringify(spans), spans])).values(),
  ];
  const isEvaluated = image.tokens_positive_eval !== undefined;
  return named
    .map((spans) => ({
      spans,
      boxesXyxy: objects
        .filter((object) =>
          isEvaluated
            ? object.spans.some((own) => spans.some((span) => meet(own, span)))
            : JSON.stringify(object.spans) === JSON.stringify(spans),
        )
        .map(({ box }) => box),
    }))
    .filter(({ boxesXyxy }) => boxesXyxy.length > 0);
};

const groundTruthOf = (row: CocoRow): FlickrGroundTruth => {
  const phrases = phrasesOf(row);
  return {
    imageId: String(row.image.id),
    boxes: new Map(phrases.map(({ boxesXyxy }, index) => [String(index), boxesXyxy])),
    sentences: [phrases.map((_, index) => ({ phraseId: String(index), phraseTypes: [] }))],
  };
};

/**
 * Recall@k of phrases, as Flickr30k Entities has it ("any box" protocol), with the annotation file's own boxes as the
 * truth: for data of one's own, and for Flickr's files without the XML that they were made of.
 */
export const phrasesTask: TaskDefinition<'flickr'> = {
  kind: 'flickr',
  evaluator: (rows) => new FlickrRecallEvaluator(Array.from(rows, groundTruthOf)),
  predict: (_model, row, outputs, item) => ({
    image_id: String(row.image.id),
    sentence_id: 0,
    boxes: rankBoxesByPhrase(
      outputs.detection(item),
      outputs.size(item),
      createPositiveMap(
        outputs.encoding(item),
        phrasesOf(row).map(({ spans }) => spans),
      ),
    ).map((ranked) => ranked.map(({ box }) => [...box] as [number, number, number, number])),
  }),
};

export const phrasesBenchmark = (rows: Iterable<CocoRow>): Benchmark<'flickr'> => ({
  kind: phrasesTask.kind,
  metrics: [{ title: 'phrases', evaluator: phrasesTask.evaluator(rows) }],
  predict: phrasesTask.predict,
  keyOf: ({ image }) => String(image.id),
  keyOfPrediction: ({ image_id }) => String(image_id),
  boxesOf: ({ boxes }) => boxes.flatMap(([best]) => (best === undefined ? [] : [{ box: best, score: 1 }])),
});
