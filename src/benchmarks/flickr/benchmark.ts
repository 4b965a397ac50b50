import { join } from 'node:path';
import { shownImageId } from '../../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { readImageList } from '../../datasets/source/image-list.ts';
import { MdetrError } from '../../errors.ts';
import { FlickrRecallEvaluator } from '../../metrics/flickr-recall.ts';
import { PREDICTION_FORMATS } from '../../metrics/predictions.ts';
import { annotationBenchmark, type RowContext } from '../annotation-benchmark.ts';
import { readFlickrGroundTruth, onlySentences } from './ground-truth.ts';
import { bestBoxOfPhrases, rankedPhraseBoxes } from './phrase-boxes.ts';
import { RECALL_METRICS } from './recall-metrics.ts';
import { keyOfSentence, sentenceOf } from './sentences.ts';

/** Recall@k of phrases by both protocols of the papers. Official counterpart: `FlickrEvaluator`. */
export const flickrBenchmark = annotationBenchmark({
  name: 'flickr',
  description: 'phrase grounding on Flickr30k Entities: Recall@k by both protocols',
  annotations: 'annotation file in the official format (final_flickr_separateGT_val.json)',
  groundTruth: {
    description: 'its dataset folder',
    fullDescription: 'the folder of Flickr30k Entities',
    isRequired: true,
    splits: ['val', 'test', 'train'],
  },
  options: {},
  predictions: PREDICTION_FORMATS.flickr,
  metrics: RECALL_METRICS,
  bestMetric: () => undefined,
  validation: {
    datasets: ['flickr'],
    groundTruth: { configKey: 'flickr_dataset_path', split: 'val', testSplit: 'test' },
  },
  checkRow: (row) => void sentenceOf(row),
  async open(rows, context) {
    const groundTruth = await flickrGroundTruthOf(rows, context);
    return {
      columns: [
        { title: 'flickr, any box', evaluator: new FlickrRecallEvaluator(groundTruth, { mergeBoxes: false }) },
        {
          title: 'flickr, merged boxes',
          prefix: 'merged/',
          evaluator: new FlickrRecallEvaluator(groundTruth, { mergeBoxes: true }),
        },
      ],
      predict(_model, row, outputs, index) {
        const { image, sentence } = sentenceOf(row);
        return {
          image_id: image,
          sentence_id: sentence,
          boxes: rankedPhraseBoxes(outputs, index, phrasesOf(row)),
        };
      },
      keyOf: (row) => keyOfSentence(sentenceOf(row)),
      keyOfPrediction: ({ image_id, sentence_id }) => keyOfSentence({ image: image_id, sentence: sentence_id }),
      boxesOf: bestBoxOfPhrases,
    };
  },
});

const phrasesOf = ({ image }: CocoRow): NonNullable<CocoRow['image']['tokens_positive_eval']> => {
  if (image.tokens_positive_eval === undefined)
    throw new MdetrError(
      `row with image id ${shownImageId(image)} has no "tokens_positive_eval" (the phrases to find): use a file of val or test`,
    );
  return image.tokens_positive_eval;
};

/** Ground truth of the split's images, or of the rows' sentences alone when not all rows are evaluated. */
const flickrGroundTruthOf = async (rows: Iterable<CocoRow>, { groundTruth, subset, isPartial }: RowContext) => {
  const folder = groundTruth!;
  const sentences = new Set(Array.from(rows, (row) => keyOfSentence(sentenceOf(row))));
  if (!isPartial()) {
    const images = await readImageList(join(folder, `${subset}.txt`));
    return readFlickrGroundTruth(folder, new Set(Array.from(images, String)));
  }
  const images = new Set(Array.from(rows, (row) => String(sentenceOf(row).image)));
  return (await readFlickrGroundTruth(folder, images)).map((image) => onlySentences(image, sentences));
};
