import type { BoxXywh } from '../../geometry/boxes.ts';
import type { ImportedObject } from '../import/importer.ts';

/** Box of a shape, and the shape itself where it follows the object. */
export type Outline = Pick<ImportedObject, 'bbox' | 'segmentation'>;

/** Upright box (xywh) of a flat list of coordinates x, y, x, y, …; undefined for fewer than two points. */
export const boxOfPoints = (points: readonly number[]): BoxXywh | undefined => {
  if (points.length < 4) return undefined;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i + 1 < points.length; i += 2) {
    [left, right] = [Math.min(left, points[i]!), Math.max(right, points[i]!)];
    [top, bottom] = [Math.min(top, points[i + 1]!), Math.max(bottom, points[i + 1]!)];
  }
  return [left, top, right - left, bottom - top];
};

/** Box (xywh) of two opposite corners in any order. */
export const boxOfCorners = (x0: number, y0: number, x1: number, y1: number): BoxXywh => [
  Math.min(x0, x1),
  Math.min(y0, y1),
  Math.abs(x1 - x0),
  Math.abs(y1 - y0),
];

/**
 * Corners x, y, x, y, … of a rectangle that is turned clockwise, as seen in an image, about a point.
 * @param degrees angle
 * @param about the point; default the rectangle's center
 */
export const turnedCorners = (
  [x, y, width, height]: BoxXywh,
  degrees: number,
  about: readonly [x: number, y: number] = [x + width / 2, y + height / 2],
): number[] => {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const corners = [
    [x, y],
    [x + width, y],
    [x + width, y + height],
    [x, y + height],
  ] as const;
  return corners.flatMap(([cornerX, cornerY]) => {
    const [dx, dy] = [cornerX - about[0], cornerY - about[1]];
    return [about[0] + dx * cos - dy * sin, about[1] + dx * sin + dy * cos];
  });
};

/** Upright box (xywh) of an ellipse whose first radius is turned clockwise by `degrees`. */
export const boxOfEllipse = (cx: number, cy: number, rx: number, ry: number, degrees = 0): BoxXywh => {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const halfWidth = Math.hypot(rx * cos, ry * sin);
  const halfHeight = Math.hypot(rx * sin, ry * cos);
  return [cx - halfWidth, cy - halfHeight, 2 * halfWidth, 2 * halfHeight];
};
