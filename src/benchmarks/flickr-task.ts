import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CocoRow } from '../data/format/coco-format.ts';
import { parseEntityImage } from '../datasets/flickr30k/entity-boxes.ts';
import { parseSentences } from '../datasets/flickr30k/sentences.ts';
import { readImageList } from '../datasets/source/image-list.ts';
import { fileReason, MdetrError } from '../errors.ts';
import { FlickrRecallEvaluator, type FlickrGroundTruth } from '../metrics/flickr-recall.ts';
import { rankBoxesByPhrase } from '../postprocess/phrase-boxes.ts';
import type { Prediction } from '../metrics/predictions.ts';
import { createPositiveMap } from '../text/index.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { Benchmark } from './task-definition.ts';

/** What a prediction of Flickr30k is about. */
interface SentenceKey {
  readonly image: number | string;
  readonly sentence: number;
}

const sentenceOf = ({ image }: CocoRow): SentenceKey => {
  const { original_img_id: original, sentence_id: sentence } = image;
  if ((typeof original !== 'number' && typeof original !== 'string') || typeof sentence !== 'number')
    throw new MdetrError(
      `row with image id ${image.id} has no "original_img_id" and "sentence_id": it is none of Flickr30k's files ` +
        '(final_flickr_separateGT_val.json)',
    );
  return { image: original, sentence };
};

const keyOf = ({ image, sentence }: SentenceKey): string => `${image}_${sentence}`;

const phrasesOf = ({ image }: CocoRow): NonNullable<CocoRow['image']['tokens_positive_eval']> => {
  if (image.tokens_positive_eval === undefined)
    throw new MdetrError(
      `row with image id ${image.id} has no "tokens_positive_eval", the phrases to be found: evaluate a file of val or test`,
    );
  return image.tokens_positive_eval;
};

const rankedBoxes = (row: CocoRow, outputs: TextOutputs, item: number): Prediction<'flickr'> => {
  const { image, sentence } = sentenceOf(row);
  const ranked = rankBoxesByPhrase(
    outputs.detection(item),
    outputs.size(item),
    createPositiveMap(outputs.encoding(item), phrasesOf(row)),
  );
  return {
    image_id: image,
    sentence_id: sentence,
    boxes: ranked.map((own) => own.map(({ box }) => [...box] as [number, number, number, number])),
  };
};

/** Boxes and sentences of images, as Flickr30k Entities distributes them: `Annotations/ID.xml`, `Sentences/ID.txt`. */
export const readFlickrGroundTruth = async (folder: string, images: Iterable<string>): Promise<FlickrGroundTruth[]> => {
  const truth: FlickrGroundTruth[] = [];
  for (const id of images) {
    const [boxesPath, sentencesPath] = [
      join(folder, 'Annotations', `${id}.xml`),
      join(folder, 'Sentences', `${id}.txt`),
    ];
    const { boxes } = parseEntityImage(await readText(boxesPath), boxesPath);
    const sentences = parseSentences(await readText(sentencesPath), sentencesPath);
    truth.push({
      imageId: id,
      boxes: new Map([...boxes].map(([entity, own]) => [entity, own.map(([x, y, w, h]) => [x, y, x + w, y + h])])),
      sentences: sentences.map(({ phrases }) =>
        phrases.map(({ entity, types }) => ({ phraseId: entity, phraseTypes: types })),
      ),
    });
  }
  return truth;
};

const readText = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new MdetrError(
      `${path}: cannot be read (${fileReason(error)}); --truth names the folder of Flickr30k Entities`,
      {
        cause: error,
      },
    );
  }
};

export interface FlickrOptions {
  /** The folder of Flickr30k Entities. */
  readonly truth: string;
  /** `val` or `test`: whose list of images must be complete. */
  readonly subset: string;
  /** Not all rows of the file are looked at: only their sentences count. */
  readonly isPartial: boolean;
}

/** What the protocol is called that joins a phrase's boxes. */
export const mergedTitle = 'flickr, merged boxes';

/** Recall@k of phrases by both protocols of the papers, from the same predictions. */
export const flickrBenchmark = async (
  rows: Iterable<CocoRow>,
  options: FlickrOptions,
): Promise<Benchmark<'flickr'>> => {
  const asked = new Set(Array.from(rows, (row) => keyOf(sentenceOf(row))));
  const ids = options.isPartial
    ? new Set(Array.from(rows, (row) => String(sentenceOf(row).image)))
    : new Set(Array.from(await readImageList(join(options.truth, `${options.subset}.txt`)), String));
  const all = await readFlickrGroundTruth(options.truth, ids);
  const truth = options.isPartial ? all.map((image) => onlySentences(image, asked)) : all;
  const metric = (mergeBoxes: boolean) => ({
    title: mergeBoxes ? mergedTitle : 'flickr, any box',
    evaluator: new FlickrRecallEvaluator(truth, { mergeBoxes }),
  });
  return {
    kind: 'flickr',
    metrics: [metric(false), metric(true)],
    predict: (_model, row, outputs, item) => rankedBoxes(row, outputs, item),
    keyOf: (row) => keyOf(sentenceOf(row)),
    keyOfPrediction: ({ image_id, sentence_id }) => keyOf({ image: image_id, sentence: sentence_id }),
    boxesOf: ({ boxes }) => boxes.flatMap(([best]) => (best === undefined ? [] : [{ box: best, score: 1 }])),
  };
};

const onlySentences = ({ imageId, boxes, sentences }: FlickrGroundTruth, asked: ReadonlySet<string>) => ({
  imageId,
  boxes,
  sentences: sentences.map((phrases, sentence) => (asked.has(keyOf({ image: imageId, sentence })) ? phrases : [])),
});
