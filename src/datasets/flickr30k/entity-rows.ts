import { codePointLength } from '../../text/spans/code-points.ts';
import type { Span } from '../../data/format/coco-format.ts';
import { linkedClusters } from '../../geometry/box-clusters.ts';
import { iouXywh } from '../../geometry/box-overlap.ts';
import { enclosingBoxXywh } from '../../geometry/boxes.ts';
import type { NewAnnotation, NewImage } from '../annotation-writer.ts';
import type { EntityImage } from './entity-boxes.ts';
import type { EntitySentence } from './sentences.ts';

/** Boxes of a caption that overlap by this IoU or more are one box, which all their phrases mean. */
const SAME_BOX_IOU = 0.95;

export interface EntityRow {
  readonly image: NewImage;
  readonly annotations: readonly NewAnnotation[];
}

/**
 * The row of one caption. Every box is tied to all phrases that mean it; `tokens_positive_eval` are the phrases that
 * have boxes, in the order of the caption, as the evaluation asks for them.
 */
export const entityRow = (
  image: EntityImage,
  sentence: EntitySentence,
  imageId: number,
  sentenceId: number,
): EntityRow => {
  const { caption, phrases } = sentence;
  const located = phrases.filter(({ entity }) => image.boxes.has(entity));
  const spansOf = (entity: string): Span[] =>
    phrases.filter((phrase) => phrase.entity === entity).map(({ span }) => span);
  // An entity that is mentioned twice brings its boxes twice; they fall together again.
  const boxes = located.flatMap(({ entity }) => image.boxes.get(entity)!.map((bbox) => ({ entity, bbox })));
  const clusters = linkedClusters(boxes.length, (i, j) => iouXywh(boxes[i]!.bbox, boxes[j]!.bbox) >= SAME_BOX_IOU);
  return {
    image: {
      file_name: image.fileName,
      height: image.height,
      width: image.width,
      caption,
      dataset_name: 'flickr',
      tokens_negative: [[0, codePointLength(caption)]],
      sentence_id: sentenceId,
      original_img_id: imageId,
      tokens_positive_eval: located.map(({ span }) => [span]),
    },
    annotations: clusters.map((cluster) => {
      const bbox = boxes[cluster.at(-1)!]!.bbox;
      const entities = new Set(cluster.map((i) => boxes[i]!.entity));
      return {
        area: bbox[3] * bbox[2],
        iscrowd: 0,
        category_id: 1,
        bbox,
        tokens_positive: [...entities].flatMap(spansOf).sort((a, b) => a[0] - b[0]),
      };
    }),
  };
};

/** The same image with the boxes of every entity joined to their hull ("merged boxes" protocol). */
export const withMergedBoxes = (image: EntityImage): EntityImage => ({
  ...image,
  boxes: new Map([...image.boxes].map(([entity, boxes]) => [entity, [enclosingBoxXywh(boxes)]])),
});
