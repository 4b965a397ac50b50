import type { CocoAnnotation, CocoImage, Segmentation, Span } from '../../data/format/coco-format.ts';
import { maskRuns } from '../render/object-masks.ts';
import type { Scene } from '../render/scene.ts';
import type { SceneText } from '../language/texts.ts';

/** One text as the official format has it: an image row, and a box row per object. Ids are given when it is written. */
export interface UnnumberedRow {
  readonly image: Omit<CocoImage, 'id'>;
  readonly annotations: readonly Omit<CocoAnnotation, 'id' | 'image_id'>[];
}

export interface RowOptions {
  /** Add the visible pixels as run lengths, in the uncompressed form that the official loader reads. */
  readonly masks?: boolean;
  /** Expressions: also annotate what locates the target, with `isfinal` 0. Evaluators want exactly one box. */
  readonly anchors?: boolean;
}

/**
 * `tokens_positive` of a box are the phrases that mean its object, each whole (with article and number);
 * `tokens_negative` of the image row are the phrases whose objects are absent; `tokens_positive_eval` lists, for
 * captions, each phrase that has boxes. Spans count characters of ASCII texts.
 */
export const annotationRow = (
  scene: Scene,
  text: SceneText,
  fileName: string,
  options: RowOptions = {},
): UnnumberedRow => {
  const spanOf = ({ start, end }: { start: number; end: number }): Span => [start, end];
  const isExpression = text.kind === 'expression';
  const kept =
    isExpression && options.anchors !== true ? text.phrases.filter(({ role }) => role === 'target') : text.phrases;
  const mentioned = scene.objects.map((_, i) => i).filter((i) => kept.some(({ objects }) => objects.includes(i)));
  return {
    image: {
      file_name: fileName,
      width: scene.width,
      height: scene.height,
      original_id: scene.index,
      caption: text.text,
      dataset_name: 'scenes',
      tokens_negative: text.phrases.filter(({ objects }) => objects.length === 0).map(spanOf),
      ...((text.kind === 'caption' || text.kind === 'negative') && {
        tokens_positive_eval: text.phrases
          .filter(({ objects }) => objects.length > 0)
          .map((phrase) => [spanOf(phrase)]),
      }),
      ...(isExpression && { expression_type: text.type, head_fits_several: text.headFitsSeveral }),
      ...(text.kind === 'question' && {
        answer: text.answer,
        question_type: text.type,
        question_structure: text.structure,
      }),
    },
    annotations: mentioned.map((i) => {
      const { box, visiblePixels } = scene.objects[i]!;
      const [x0, y0, x1, y1] = box;
      return {
        category_id: 1,
        iscrowd: 0,
        area: visiblePixels,
        bbox: [x0, y0, x1 - x0, y1 - y0] as const,
        original_id: i,
        tokens_positive: kept.filter(({ objects }) => objects.includes(i)).map(spanOf),
        ...(isExpression && { isfinal: i === text.target ? 1 : 0 }),
        ...(options.masks === true && { segmentation: segmentationOf(scene, i) }),
      };
    }),
  };
};

const segmentationOf = (scene: Scene, i: number): Segmentation => ({
  size: [scene.height, scene.width],
  counts: Array.from(maskRuns(scene, i).counts),
});
