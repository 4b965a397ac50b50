import { codePointLength } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { linkedClusters } from '../../geometry/box-clusters.ts';
import { iouXywh } from '../../geometry/box-overlap.ts';
import { enclosingBoxXywh } from '../../geometry/boxes.ts';
import type { NewAnnotation, NewImage } from '../preparation/annotation-writer.ts';
import type { EntityImage } from './entity-boxes.ts';
import type { EntitySentence } from './sentences.ts';

/** Boxes of a caption with at least this IoU are merged into one, to which all their phrases refer. */
const SAME_BOX_IOU = 0.95;

export interface EntityRow {
  readonly image: NewImage;
  readonly annotations: readonly NewAnnotation[];
}

/**
 * Row of one caption. Every box has the spans of all phrases that refer to it; `tokens_positive_eval` lists the phrases
 * that have boxes, in caption order, as evaluation requires.
 */
export const entityRow = (
  image: EntityImage,
  sentence: EntitySentence,
  imageId: number,
  sentenceId: number,
): EntityRow => {
  const { caption, phrases } = sentence;
  const located = phrases.filter(({ entity }) => image.boxes.has(entity));
  const spansOf = (entity: string): CodePointSpan[] =>
    phrases.filter((phrase) => phrase.entity === entity).map(({ span }) => span);
  // An entity mentioned twice contributes its boxes twice; clustering merges them again.
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

/** The image with the boxes of every entity replaced by their enclosing box ("merged boxes" protocol). */
export const withMergedBoxes = (image: EntityImage): EntityImage => ({
  ...image,
  boxes: new Map([...image.boxes].map(([entity, boxes]) => [entity, [enclosingBoxXywh(boxes)]])),
});
