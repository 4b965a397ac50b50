import { MdetrError, messageOf } from '../../errors.ts';
import { unpackMask } from '../../geometry/run-lengths.ts';
import type { Segmentation } from './coco-format.ts';
import { isAbsent, isCoordinate, shown } from './field-values.ts';

/** Maximum number of polygons of an object; their union is computed one by one. */
const MAX_POLYGONS = 10_000;

/** Why a segmentation cannot be used. */
export interface SegmentationProblem {
  /** Path below `segmentation`, such as `[2]` or `.counts`; empty for all of it. */
  readonly field: string;
  readonly message: string;
}

/** A segmentation in one of the two forms of `Segmentation`, or the reason why there is none. */
export type ParsedSegmentation =
  | { readonly kind: 'mask'; readonly segmentation: Segmentation }
  /** The object has no mask: null, an empty list or object, or polygons of fewer than three points. */
  | { readonly kind: 'none'; readonly message: string }
  | ({ readonly kind: 'broken' } & SegmentationProblem);

/**
 * Parses a segmentation in any form that exporters write: a list of polygons, one polygon without the list around it, or
 * run lengths. Degenerate parts, of fewer than three points, are left out: they cover no pixels.
 */
export const parseSegmentation = (value: unknown): ParsedSegmentation => {
  if (isAbsent(value)) return { kind: 'none', message: 'is missing' };
  if (Array.isArray(value)) return parsePolygons(value);
  if (typeof value !== 'object') return broken('', `is ${shown(value)}, neither polygons nor run lengths`);
  if (Object.keys(value).length === 0) return { kind: 'none', message: 'is empty' };
  const { size, counts } = value as { size?: unknown; counts?: unknown };
  if (!Array.isArray(size) || size.length !== 2 || !size.every((side) => Number.isSafeInteger(side)))
    return broken('.size', `is ${shown(size)}, not [height, width] in integers`);
  if (Array.isArray(counts) ? !counts.every((run) => Number.isSafeInteger(run)) : typeof counts !== 'string')
    return broken('.counts', `is ${shown(counts)}, neither a run-length string nor a list of integers`);
  return { kind: 'mask', segmentation: { size: size as [number, number], counts: counts as string | number[] } };
};

const parsePolygons = (value: readonly unknown[]): ParsedSegmentation => {
  const polygons: readonly unknown[] = value.some((part) => typeof part === 'number') ? [value] : value;
  if (polygons.length > MAX_POLYGONS) return broken('', `has ${polygons.length} polygons, more than ${MAX_POLYGONS}`);
  const kept: number[][] = [];
  for (const [i, points] of polygons.entries()) {
    const at = polygons === value ? `[${i}]` : '';
    if (!Array.isArray(points)) return broken(at, `is ${shown(points)}, not a polygon [x, y, x, y, …]`);
    const wrong = points.findIndex((coordinate) => !isCoordinate(coordinate));
    if (wrong >= 0) return broken(`${at}[${wrong}]`, `is ${shown(points[wrong])}, not a coordinate in pixels`);
    if (points.length % 2 !== 0) return broken(at, `has ${points.length} numbers: a polygon has pairs of x and y`);
    if (points.length >= 6) kept.push(points as number[]);
  }
  return kept.length === 0
    ? { kind: 'none', message: 'has no polygon of three points or more' }
    : { kind: 'mask', segmentation: kept };
};

const broken = (field: string, message: string): ParsedSegmentation => ({ kind: 'broken', field, message });

/**
 * The reason why a segmentation gives no mask of an image, found without filling pixels: run lengths of another size or
 * that do not add up, and outlines longer than any in the image, which would take minutes to fill.
 * @param width of the image in pixels; 0 where it is not known
 * @param height of the image in pixels; 0 where it is not known
 */
export const maskProblem = (
  segmentation: Segmentation,
  width: number,
  height: number,
): SegmentationProblem | undefined => {
  if (isPolygons(segmentation)) {
    const limit = width > 0 && height > 0 ? 4 * width * height + 10_000 : Infinity;
    const outline = segmentation.reduce((sum, points) => sum + outlineOf(points), 0);
    return outline <= limit
      ? undefined
      : { field: '', message: `has outlines of ${Math.round(outline)} pixels, far more than the image` };
  }
  const { size } = segmentation;
  if (width > 0 && height > 0 && (size[0] !== height || size[1] !== width))
    return { field: '.size', message: `is ${size[0]}x${size[1]}, the image ${height}x${width} (height x width)` };
  try {
    unpackMask(segmentation, 'segmentation');
    return undefined;
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    const message = messageOf(error)
      .replace(/^segmentation: /, '')
      .replace(/\.$/, '');
    return { field: '.counts', message: `cannot be used: ${message}` };
  }
};

/** True for polygons, false for run lengths. */
export const isPolygons = (segmentation: Segmentation): segmentation is readonly (readonly number[])[] =>
  Array.isArray(segmentation);

/** Length of a polygon's outline in pixels, in steps along the longer axis of each edge. */
const outlineOf = (points: readonly number[]): number => {
  let length = 0;
  for (let i = 0; i < points.length; i += 2) {
    const next = (i + 2) % points.length;
    length += Math.max(Math.abs(points[i]! - points[next]!), Math.abs(points[i + 1]! - points[next + 1]!));
  }
  return length;
};
