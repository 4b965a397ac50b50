import type { CocoAnnotation, CocoImage, Segmentation } from '../../data/format/coco-format.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { maskRuns } from '../render/object-masks.ts';
import type { Scene } from '../render/scene.ts';
import type { SceneText } from '../language/texts.ts';

/** One text in the official format, before ids are assigned: an entry of `images`, and an entry of `annotations` per object. */
export interface NewRow {
  readonly image: Omit<CocoImage, 'id'>;
  readonly annotations: readonly Omit<CocoAnnotation, 'id' | 'image_id'>[];
}

export interface RowOptions {
  /** Add masks of the visible pixels as uncompressed run lengths, which the official loader reads. Default false. */
  readonly masks?: boolean;
  /** Expressions: also annotate the anchors, with `isfinal` 0. Default false, because evaluation expects exactly one box. */
  readonly anchors?: boolean;
}

/**
 * Row of a text. `tokens_positive` of a box are the phrases that refer to its object, including article and numeral;
 * `tokens_negative` of the image are the phrases whose objects are absent; `tokens_positive_eval` of captions lists the
 * phrases that have boxes. The texts are ASCII, so spans count code points and UTF-16 units alike.
 */
export const annotationRow = (scene: Scene, text: SceneText, fileName: string, options: RowOptions = {}): NewRow => {
  const spanOf = ({ start, end }: { start: number; end: number }): CodePointSpan => [start, end];
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
      tokens_positive_eval:
        text.kind === 'caption' || text.kind === 'negative'
          ? text.phrases.filter(({ objects }) => objects.length > 0).map((phrase) => [spanOf(phrase)])
          : undefined,
      expression_type: isExpression ? text.type : undefined,
      head_fits_several: isExpression ? text.headFitsSeveral : undefined,
      answer: text.kind === 'question' ? text.answer : undefined,
      question_type: text.kind === 'question' ? text.type : undefined,
      question_structure: text.kind === 'question' ? text.structure : undefined,
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
        isfinal: isExpression ? Number(i === text.target) : undefined,
        segmentation: options.masks === true ? segmentationOf(scene, i) : undefined,
      };
    }),
  };
};

const segmentationOf = (scene: Scene, i: number): Segmentation => ({
  size: [scene.height, scene.width],
  counts: Array.from(maskRuns(scene, i).counts),
});
