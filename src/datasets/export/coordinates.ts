import type { BoxXywh } from '../../geometry/boxes.ts';
import { maskToPolygons } from '../../geometry/mask-polygons.ts';
import { unpackMask } from '../../geometry/run-lengths.ts';
import type { Remarks } from '../preparation/remarks.ts';
import type { ExportedObject } from './exporter.ts';

/** Distance in pixels by which polygons may leave the outline of a mask, to have few points that people can drag. */
const POLYGON_TOLERANCE_PX = 0.75;

/** Hundredths of a pixel, finer than any reader compares. */
export const pixels = (value: number): number => Math.round(value * 100) / 100;

/** A fraction of an image or a percentage, exact to a thousandth of a pixel in any image that can be decoded. */
export const fraction = (value: number): number => Math.round(value * 1e8) / 1e8;

/** A score with as many digits as it has. */
export const scoreDigits = (value: number): number => Number(value.toPrecision(8));

/** Box in hundredths of a pixel. */
export const boxPixels = ([x, y, w, h]: BoxXywh): BoxXywh => [pixels(x), pixels(y), pixels(w), pixels(h)];

/** Corners x0, y0, x1, y1 in hundredths of a pixel. */
export const cornersOf = ([x, y, w, h]: BoxXywh): readonly [number, number, number, number] => [
  pixels(x),
  pixels(y),
  pixels(x + w),
  pixels(y + h),
];

/** Outlines of an object's mask; empty without a mask. */
export const polygonsOf = ({ mask }: ExportedObject): number[][] =>
  mask === undefined ? [] : maskToPolygons(unpackMask(mask), { tolerance: POLYGON_TOLERANCE_PX });

/** The largest outline of an object's mask, for formats that hold one; undefined without a mask. Others are reported. */
export const largestPolygonOf = (object: ExportedObject, image: string, dropped: Remarks): number[] | undefined => {
  const [largest, ...others] = polygonsOf(object);
  if (others.length > 0) dropped.add('parts of masks, of which the largest is kept', image);
  return largest;
};

/** Pairs of a flat list x, y, x, y, … */
export const pointsOf = (flat: readonly number[]): [number, number][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
