import { MdetrError } from '../../errors.ts';
import type { CocoAnnotation, CocoRow } from './coco-format.ts';
import { maskFromPolygon } from '../../geometry/polygon.ts';
import type { Size } from '../../geometry/size.ts';
import { maskUnion, unpackMask, type RunLengthMask } from '../../geometry/run-lengths.ts';
import { boxesWithArea, keepBoxes, type Target } from './target.ts';

export interface TargetOptions {
  /** Read `segmentation` too. */
  readonly masks?: boolean;
}

/**
 * Target of a checked row: crowd annotations are dropped; boxes become corners, are clamped to the image, and those
 * without area are dropped with everything that belongs to them.
 *
 * `size` is the decoded image's, which wins over what the row says. Throws `MdetrError` for a broken segmentation.
 */
export const targetFromRow = ({ image, annotations }: CocoRow, size: Size, options: TargetOptions = {}): Target => {
  const [height, width] = size;
  const rows = annotations.filter(({ iscrowd }) => iscrowd === undefined || iscrowd === 0);
  const boxesXyxy = new Float32Array(rows.length * 4);
  rows.forEach(({ bbox }, i) => {
    // The corner is added in float32, as the official tensors do.
    const [x, y, w, h] = bbox.map(Math.fround) as [number, number, number, number];
    boxesXyxy[4 * i] = clamp(x, width);
    boxesXyxy[4 * i + 1] = clamp(y, height);
    boxesXyxy[4 * i + 2] = clamp(Math.fround(x + w), width);
    boxesXyxy[4 * i + 3] = clamp(Math.fround(y + h), height);
  });
  const kept = boxesWithArea(boxesXyxy);
  // Masks last: a dropped box' mask need not be drawn, nor be right.
  const target = keepBoxes(
    {
      imageId: image.id,
      caption: image.caption ?? '',
      boxesXyxy,
      labels: Int32Array.from(rows, ({ category_id }) => category_id ?? 1),
      area: Float32Array.from(rows, ({ area, bbox }) => area ?? bbox[2] * bbox[3]),
      isCrowd: new Uint8Array(rows.length),
      tokensPositive: rows.map(({ tokens, tokens_positive }) => tokens ?? tokens_positive ?? []),
      ...(rows.some(({ isfinal }) => isfinal !== undefined) && {
        isFinal: Float32Array.from(rows, ({ isfinal }) => Number(isfinal ?? 0)),
      }),
      size,
      originalSize: size,
    },
    kept,
  );
  if (options.masks !== true) return target;
  return { ...target, masks: kept.map((i) => maskFromAnnotation(rows[i]!, size, `image ${image.id}`)) };
};

const clamp = (value: number, max: number): number => Math.min(Math.max(value, 0), max);

/**
 * Mask of one annotation over an image of this size: polygons are filled and joined, run lengths read.
 * `place` names the annotation's image in errors.
 */
export const maskFromAnnotation = (
  { id, segmentation }: Pick<CocoAnnotation, 'id' | 'segmentation'>,
  [height, width]: Size,
  place: string,
): RunLengthMask => {
  const where = id === undefined ? `${place}, segmentation` : `${place}, annotation ${id}, segmentation`;
  if (typeof segmentation !== 'object') throw new MdetrError(`${where}: is missing, but masks are asked for.`);
  if (!isRunLength(segmentation)) {
    if (segmentation.length === 0) throw new MdetrError(`${where}: has no polygon.`);
    const polygons = segmentation.map((points, i) => maskFromPolygon(points, height, width, `${where}[${i}]`));
    return maskUnion(polygons, height, width);
  }
  const mask = unpackMask(segmentation, where);
  if (mask.height !== height || mask.width !== width)
    throw new MdetrError(`${where}: is ${mask.height}x${mask.width}, the image ${height}x${width} (height x width).`);
  return mask;
};

const isRunLength = (
  segmentation: NonNullable<CocoAnnotation['segmentation']>,
): segmentation is Exclude<NonNullable<CocoAnnotation['segmentation']>, readonly unknown[]> =>
  !Array.isArray(segmentation);
