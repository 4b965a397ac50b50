import { MdetrError } from '../../errors.ts';
import type { CocoAnnotation, CocoRow } from './coco-format.ts';
import { isPolygons, maskProblem, parseSegmentation } from './segmentation.ts';
import { maskFromPolygon } from '../../geometry/polygon.ts';
import type { Size } from '../../geometry/size.ts';
import { maskUnion, unpackMask, type RunLengthMask } from '../../geometry/run-lengths.ts';
import { boxesWithArea, keepBoxes, type Target } from './target.ts';

/** Options of the conversion of a row to a target. */
export interface TargetOptions {
  /** Convert `segmentation` too. */
  readonly masks?: boolean;
}

/**
 * Converts a checked row to a target, as the official code does: crowd annotations are dropped; boxes become xyxy and are
 * clamped to the image; boxes without area are dropped with everything that belongs to them.
 *
 * @param size of the decoded image, which takes precedence over the size that the row states
 * @throws {MdetrError} for a broken segmentation
 */
export const targetFromRow = ({ image, annotations }: CocoRow, size: Size, options: TargetOptions = {}): Target => {
  const [height, width] = size;
  const kept = annotations.filter(({ iscrowd = 0 }) => iscrowd === 0);
  const boxesXyxy = new Float32Array(kept.length * 4);
  kept.forEach(({ bbox }, i) => {
    // Rounded to float32 after each step, as the official tensors are.
    const [x, y, w, h] = bbox.map(Math.fround) as [number, number, number, number];
    boxesXyxy[4 * i] = clamp(x, width);
    boxesXyxy[4 * i + 1] = clamp(y, height);
    boxesXyxy[4 * i + 2] = clamp(Math.fround(x + w), width);
    boxesXyxy[4 * i + 3] = clamp(Math.fround(y + h), height);
  });
  const withArea = boxesWithArea(boxesXyxy);
  // Masks are converted last: the mask of a dropped box may be broken.
  const target = keepBoxes(
    {
      imageId: image.id,
      caption: image.caption ?? '',
      boxesXyxy,
      labels: Int32Array.from(kept, ({ category_id }) => (typeof category_id === 'number' ? category_id : 1)),
      area: Float32Array.from(kept, ({ area, bbox }) => area ?? bbox[2] * bbox[3]),
      isCrowd: new Uint8Array(kept.length),
      tokensPositive: kept.map(({ tokens, tokens_positive }) => tokens ?? tokens_positive ?? []),
      isFinal: kept.some(({ isfinal }) => isfinal !== undefined)
        ? Float32Array.from(kept, ({ isfinal }) => Number(isfinal ?? 0))
        : undefined,
      size,
      originalSize: size,
    },
    withArea,
  );
  if (options.masks !== true) return target;
  return { ...target, masks: withArea.map((i) => maskFromAnnotation(kept[i]!, size, `image ${image.id}`)) };
};

const clamp = (value: number, max: number): number => Math.min(Math.max(value, 0), max);

/**
 * Mask of one annotation over an image of the given size: the union of its polygons, or its run lengths.
 *
 * @param imageName name of the annotation's image in error messages
 * @throws {MdetrError} for a missing or broken segmentation
 */
export const maskFromAnnotation = (
  { id, segmentation }: Pick<CocoAnnotation, 'id' | 'segmentation'>,
  [height, width]: Size,
  imageName: string,
): RunLengthMask => {
  const where = id === undefined ? `${imageName}, segmentation` : `${imageName}, annotation ${id}, segmentation`;
  const parsed = parseSegmentation(segmentation);
  if (parsed.kind === 'broken') throw new MdetrError(`${where}${parsed.field} ${parsed.message}.`);
  if (parsed.kind === 'none') throw new MdetrError(`${where} ${parsed.message}, but masks are asked for.`);
  const problem = maskProblem(parsed.segmentation, width, height);
  if (problem !== undefined) throw new MdetrError(`${where}${problem.field} ${problem.message}.`);
  if (!isPolygons(parsed.segmentation)) return unpackMask(parsed.segmentation, where);
  const polygons = parsed.segmentation.map((points, i) => maskFromPolygon(points, height, width, `${where}[${i}]`));
  return maskUnion(polygons, height, width);
};
