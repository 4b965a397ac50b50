import { join } from 'node:path';
import { parseEntityImage } from '../../datasets/flickr30k/entity-boxes.ts';
import { parseSentences } from '../../datasets/flickr30k/sentences.ts';
import { fileReason, MdetrError } from '../../errors.ts';
import type { FlickrGroundTruth } from '../../metrics/flickr-recall.ts';
import { keyOfSentence } from './sentences.ts';
import { readInput } from '../../files/input-file.ts';

/**
 * Reads boxes and sentences of images from the folder of Flickr30k Entities: `Annotations/ID.xml`, `Sentences/ID.txt`.
 *
 * @throws {MdetrError} when a file cannot be read
 */
export const readFlickrGroundTruth = async (folder: string, images: Iterable<string>): Promise<FlickrGroundTruth[]> => {
  const groundTruth: FlickrGroundTruth[] = [];
  for (const id of images) {
    const boxesPath = join(folder, 'Annotations', `${id}.xml`);
    const sentencesPath = join(folder, 'Sentences', `${id}.txt`);
    const { boxes } = parseEntityImage(await readText(boxesPath), boxesPath);
    const sentences = parseSentences(await readText(sentencesPath), sentencesPath);
    groundTruth.push({
      imageId: id,
      boxes: new Map([...boxes].map(([entity, own]) => [entity, own.map(([x, y, w, h]) => [x, y, x + w, y + h])])),
      sentences: sentences.map(({ phrases }) =>
        phrases.map(({ entity, types }) => ({ phraseId: entity, phraseTypes: types })),
      ),
    });
  }
  return groundTruth;
};

/** Ground truth of an image with empty sentences in place of those whose key is not among `keys`. */
export const onlySentences = (
  { imageId, boxes, sentences }: FlickrGroundTruth,
  keys: ReadonlySet<string>,
): FlickrGroundTruth => ({
  imageId,
  boxes,
  sentences: sentences.map((phrases, sentence) =>
    keys.has(keyOfSentence({ image: imageId, sentence })) ? phrases : [],
  ),
});

const readText = async (path: string): Promise<string> => {
  try {
    return (await readInput(path)).toString('utf8');
  } catch (error) {
    throw new MdetrError(
      `${path}: cannot be read (${fileReason(error)}); --ground-truth names the folder of Flickr30k Entities`,
      { cause: error },
    );
  }
};
