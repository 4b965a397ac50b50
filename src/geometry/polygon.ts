import { MdetrError } from '../errors.ts';
import type { RunLengthMask } from './run-lengths.ts';

/** Oversampling of coordinates, as in COCO's mask code. */
const OVERSAMPLING = 5;

/** Maximum outline of a polygon: a longer one is a broken file, and tracing it would take minutes. */
const MAX_OUTLINE_PX = 10_000_000;

/**
 * Rasterizes a polygon, equal to COCO's mask code to the pixel: the outline is traced at five times the resolution, and
 * every crossing from one pixel column to the next becomes a run boundary.
 *
 * @param points x0, y0, x1, y1, … in pixels
 * @param where location of the polygon, for error messages
 * @throws {MdetrError} for fewer than three points, and for coordinates that are not finite or far outside of any image
 */
export const maskFromPolygon = (
  points: readonly number[],
  height: number,
  width: number,
  where = 'polygon',
): RunLengthMask => {
  if (points.length < 6 || points.length % 2 !== 0)
    throw new MdetrError(
      `${where}: a polygon needs at least three points (x, y), it has ${points.length} coordinates.`,
    );
  for (const value of points)
    if (!Number.isFinite(value)) throw new MdetrError(`${where}: ${String(value)} is not a coordinate.`);
  let outlinePx = 0;
  for (let i = 0; i < points.length; i += 2)
    outlinePx += Math.max(
      Math.abs(points[i]! - points[(i + 2) % points.length]!),
      Math.abs(points[i + 1]! - points[(i + 3) % points.length]!),
    );
  if (outlinePx > MAX_OUTLINE_PX)
    throw new MdetrError(`${where}: its outline is ${outlinePx} pixels long; coordinates are pixels of the image.`);
  return maskFromBoundaries(columnCrossings(points, height, width), height, width);
};

/** Positions in the column-major mask where the outline crosses from one pixel column to another. */
const columnCrossings = (points: readonly number[], height: number, width: number): number[] => {
  const crossings: number[] = [];
  const fine = points.map((value) => Math.trunc(OVERSAMPLING * value + 0.5));
  let previousX: number | undefined;
  let previousY = 0;
  const visit = (x: number, y: number): void => {
    if (previousX !== undefined && x !== previousX) {
      const column = ((x < previousX ? x : x - 1) + 0.5) / OVERSAMPLING - 0.5;
      if (Number.isInteger(column) && column >= 0 && column <= width - 1) {
        const row = (Math.min(y, previousY) + 0.5) / OVERSAMPLING - 0.5;
        crossings.push(column * height + Math.ceil(Math.min(Math.max(row, 0), height)));
      }
    }
    previousX = x;
    previousY = y;
  };
  for (let i = 0; i < fine.length; i += 2)
    walkEdge(fine[i]!, fine[i + 1]!, fine[(i + 2) % fine.length]!, fine[(i + 3) % fine.length]!, visit);
  return crossings;
};

/** Visits the lattice points of an edge from start to end, one per unit of its longer side. */
const walkEdge = (
  startX: number,
  startY: number,
  endX: number,
  endY: number,
  visit: (x: number, y: number) => void,
): void => {
  const dx = Math.abs(endX - startX);
  const dy = Math.abs(endY - startY);
  if (dx === 0 && dy === 0) return;
  const alongX = dx >= dy;
  // The slope starts at the lower end in either direction, so that rounding does not depend on the direction.
  const reversed = alongX ? startX > endX : startY > endY;
  const [lowX, lowY, highX, highY] = reversed ? [endX, endY, startX, startY] : [startX, startY, endX, endY];
  const steps = Math.max(dx, dy);
  const slope = alongX ? (highY - lowY) / dx : (highX - lowX) / dy;
  for (let i = 0; i <= steps; i++) {
    const t = reversed ? steps - i : i;
    if (alongX) visit(lowX + t, Math.trunc(lowY + slope * t + 0.5));
    else visit(Math.trunc(lowX + slope * t + 0.5), lowY + t);
  }
};

/** Mask whose pixels flip at every boundary; two boundaries at one position cancel. */
const maskFromBoundaries = (boundaries: readonly number[], height: number, width: number): RunLengthMask => {
  const runs: number[] = [];
  let at = 0;
  let joinNext = false;
  for (const boundary of [...Float64Array.from(boundaries).sort(), height * width]) {
    const length = boundary - at;
    at = boundary;
    if (joinNext) {
      runs[runs.length - 1]! += length;
      joinNext = false;
    } else if (length === 0 && runs.length > 0) {
      // An empty run merges its neighbors; only the first run may be empty.
      joinNext = true;
    } else runs.push(length);
  }
  return { height, width, counts: Uint32Array.from(runs) };
};
