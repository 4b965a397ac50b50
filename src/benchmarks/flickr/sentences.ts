import { shownImageId } from '../../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { MdetrError } from '../../errors.ts';

/** A sentence of Flickr30k. */
export interface SentenceId {
  readonly image: number | string;
  /** Index among the sentences of its image. */
  readonly sentence: number;
}

/** Sentence of a row. @throws {MdetrError} when the row is not from a file of Flickr30k */
export const sentenceOf = ({ image }: CocoRow): SentenceId => {
  const { original_img_id: original, sentence_id: sentence } = image;
  if ((typeof original !== 'number' && typeof original !== 'string') || typeof sentence !== 'number')
    throw new MdetrError(
      `row with image id ${shownImageId(image)} has no "original_img_id" and "sentence_id": it is not from a file of Flickr30k ` +
        '(final_flickr_separateGT_val.json)',
    );
  return { image: original, sentence };
};

/** Key of a sentence in maps: image and sentence ids. */
export const keyOfSentence = ({ image, sentence }: SentenceId): string => `${image}_${sentence}`;
