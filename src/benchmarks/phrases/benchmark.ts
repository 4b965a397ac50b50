import { statedImageId } from '../../data/annotation-index/string-ids.ts';
import { FlickrRecallEvaluator } from '../../metrics/flickr-recall.ts';
import { PREDICTION_FORMATS } from '../../metrics/predictions.ts';
import { annotationBenchmark } from '../annotation-benchmark.ts';
import { bestBoxOfPhrases, rankedPhraseBoxes } from '../flickr/phrase-boxes.ts';
import { RECALL_METRICS } from '../flickr/recall-metrics.ts';
import { groundTruthOf, phrasesOf } from './phrases.ts';

/**
 * Recall@k of phrases by the "any box" protocol of Flickr30k Entities, with the boxes of the annotation file as ground
 * truth: for custom datasets, and for files of Flickr30k without the XML files they were made from.
 */
export const phrasesBenchmark = annotationBenchmark({
  name: 'phrases',
  description: 'phrase grounding on a custom dataset: Recall@k against the boxes of the annotation file',
  annotations: 'annotation file in the official format',
  options: {},
  predictions: PREDICTION_FORMATS.flickr,
  metrics: RECALL_METRICS,
  bestMetric: () => undefined,
  validation: { datasets: ['flickr'] },
  open: (rows) => ({
    columns: [{ title: 'phrases', evaluator: new FlickrRecallEvaluator(Array.from(rows, groundTruthOf)) }],
    predict: (_model, row, outputs, index) => ({
      image_id: String(statedImageId(row.image)),
      sentence_id: 0,
      boxes: rankedPhraseBoxes(
        outputs,
        index,
        phrasesOf(row).map(({ spans }) => spans),
      ),
    }),
    keyOf: ({ image }) => String(statedImageId(image)),
    keyOfPrediction: ({ image_id }) => String(image_id),
    boxesOf: bestBoxOfPhrases,
  }),
});
