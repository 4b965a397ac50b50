import { MdetrError } from '../errors.ts';
import type { RunLengthMask } from './run-lengths.ts';

/** Coordinates are sampled this many times finer than pixels, as COCO's mask code does. */
const oversampling = 5;

/** Longer than any outline within a picture: a polygon beyond is a broken file, and walking it would take minutes. */
const maxOutlinePx = 10_000_000;

/**
 * Fills a polygon, equal to COCO's reference mask code to the pixel: the outline is walked at five times the
 * resolution, and every crossing from one pixel column to the next becomes a run boundary.
 *
 * `points` is x0, y0, x1, y1, … in pixels. `where` names the polygon for the error.
 * Throws `MdetrError` for fewer than three points and for coordinates that are not finite or far outside of any picture.
 */
export const maskFromPolygon = (
  points: readonly number[],
  height: number,
  width: number,
  where = 'polygon',
): RunLengthMask => {
  if (points.length < 6 || points.length % 2 !== 0)
    throw new MdetrError(`${where}: a polygon needs x, y of three points or more, it has ${points.length} numbers.`);
  for (const value of points)
    if (!Number.isFinite(value)) throw new MdetrError(`${where}: ${String(value)} is not a coordinate.`);
  let outlinePx = 0;
  for (let i = 0; i < points.length; i += 2)
    outlinePx += Math.max(
      Math.abs(points[i]! - points[(i + 2) % points.length]!),
      Math.abs(points[i + 1]! - points[(i + 3) % points.length]!),
    );
  if (outlinePx > maxOutlinePx)
    throw new MdetrError(`${where}: its outline is ${outlinePx} pixels long; coordinates are pixels of the picture.`);
  return maskFromBoundaries(columnCrossings(points, height, width), height, width);
};

/** Where the outline passes from one pixel column to another: positions in the column-major mask. */
const columnCrossings = (points: readonly number[], height: number, width: number): number[] => {
  const crossings: number[] = [];
  const fine = points.map((value) => Math.trunc(oversampling * value + 0.5));
  let previousX: number | undefined;
  let previousY = 0;
  const visit = (x: number, y: number): void => {
    if (previousX !== undefined && x !== previousX) {
      const column = ((x < previousX ? x : x - 1) + 0.5) / oversampling - 0.5;
      if (Number.isInteger(column) && column >= 0 && column <= width - 1) {
        const row = (Math.min(y, previousY) + 0.5) / oversampling - 0.5;
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

/** Visits the lattice points of an edge from its start to its end, one per unit of its longer extent. */
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
  // The slope is taken from the lesser end, whichever way the edge runs: rounding must not depend on direction.
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

/** Each boundary flips the pixels from its position on; a pair at one position cancels. */
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
      // A run of no pixels joins its neighbours; only the first run may be empty.
      joinNext = true;
    } else runs.push(length);
  }
  return { height, width, counts: Uint32Array.from(runs) };
};
