import { excerpt, quoted } from '../../errors.ts';
import { codePointsOf, consolidateSpans } from '../combine/caption-spans.ts';
import type { AnnotationWriter } from '../preparation/annotation-writer.ts';
import { BadRowError } from '../source/bad-rows.ts';
import { areaOf, type ChosenInstances } from '../source/coco-instances.ts';
import { segmentationOf } from '../source/instance-file.ts';
import type { PreparationTools } from '../preparation/preparation.ts';
import type { Remarks } from '../preparation/remarks.ts';
import { imageFileName, type Reference } from './references.ts';

export type RootFinder = Awaited<ReturnType<PreparationTools['loadRootFinder']>>;

export interface ExpressionContext {
  readonly instances: ChosenInstances;
  readonly findRoot: RootFinder;
  readonly masks: boolean;
  readonly leftOut: Remarks;
  readonly notes: Remarks;
}

/**
 * Writes a row for every expression of a reference. The span of the object's box is the root phrase of the expression.
 * @throws {BadRowError} if image or annotation were left out, or annotation and reference belong to different images
 */
export const writeExpressions = async (
  writer: AnnotationWriter,
  reference: Reference,
  dataset: string,
  { instances, findRoot, masks, leftOut, notes }: ExpressionContext,
): Promise<void> => {
  const { ids } = instances;
  const imageId = ids.stated('images', reference.image_id);
  const annotationId = ids.stated('annotations', reference.ann_id);
  const location = `${dataset} ref_id ${excerpt(String(reference.ref_id))}`;
  const image = instances.images.get(reference.image_id);
  const annotation = instances.annotations.get(reference.ann_id);
  if (image === undefined)
    throw new BadRowError(`${location}, field image_id: ${instances.path} has no usable image ${quoted(imageId)}`);
  if (annotation === undefined)
    throw new BadRowError(
      `${location}, field ann_id: ${instances.path} has no usable annotation ${quoted(annotationId)}`,
    );
  if (annotation.image_id !== reference.image_id)
    throw new BadRowError(
      `${location}: annotation ${quoted(annotationId)} of ${instances.path} is of image ${quoted(ids.stated('images', annotation.image_id))}, ` +
        `but the reference is of image ${quoted(imageId)}; do the two files belong together?`,
    );
  if (annotation.iscrowd !== 0) notes.add('expressions about crowds, whose boxes training skips', location);
  for (const { sent } of reference.sentences) {
    if (sent.trim() === '') {
      leftOut.add('empty expressions', location);
      continue;
    }
    const caption = codePointsOf(sent);
    const { rootSpans, negativeSpans } = findRoot(sent);
    const tokensPositive = consolidateSpans(rootSpans, caption);
    if (tokensPositive.length === 0) notes.add('expressions without a letter or digit, which have no span', location);
    await writer.write(
      {
        file_name: imageFileName(reference),
        height: image.height,
        width: image.width,
        original_id: imageId,
        caption: sent,
        dataset_name: dataset,
        tokens_negative: consolidateSpans(negativeSpans, caption),
      },
      [
        {
          area: areaOf(annotation),
          iscrowd: annotation.iscrowd,
          category_id: ids.stated('categories', reference.category_id),
          bbox: annotation.bbox,
          segmentation: masks ? segmentationOf(annotation, instances.path) : undefined,
          original_id: annotationId,
          tokens_positive: tokensPositive,
        },
      ],
      location,
    );
  }
};
