/*
 * Polygon rasterization equal to Pillow 9.4's `ImageDraw.polygon(points, outline=1, fill=1)`, with which PhraseCut
 * makes its ground-truth masks. Peculiarities of its scan line are part of the metric: every border pixel is inside, and
 * corners extend to their neighbors on the next row.
 */

interface Edge {
  readonly x0: number;
  readonly y0: number;
  readonly minY: number;
  readonly maxY: number;
  minX: number;
  maxX: number;
  /** Change of x per row in float32; 0 for horizontal edges. */
  readonly slope: number;
}

const f = Math.fround;

/**
 * Sets the pixels of a polygon to 1, as Pillow does.
 *
 * @param canvas (height, width), row-major
 * @param points (x, y) pairs; fractions are truncated, as in the official code
 */
export const fillPolygonPillow = (
  canvas: Uint8Array,
  width: number,
  height: number,
  points: readonly (readonly number[])[],
): void => {
  const edges = edgesOf(points.map(([x, y]) => [Math.trunc(x!), Math.trunc(y!)] as const));
  const fillRow = (start: number, y: number, end: number): void => {
    // A span narrower than a pixel can round to an end before its start; Pillow draws both pixels.
    const [from, to] = start <= end ? [start, end] : [end, start];
    if (y < 0 || y >= height || from >= width || to < 0) return;
    canvas.fill(1, y * width + Math.max(from, 0), y * width + Math.min(to, width - 1) + 1);
  };

  let top = height - 1;
  let bottom = 0;
  for (const edge of edges) {
    top = Math.min(top, edge.minY);
    bottom = Math.max(bottom, edge.maxY);
    if (edge.minY === edge.maxY) fillRow(edge.minX, edge.minY, edge.maxX);
  }
  const slanted = edges.filter((edge) => edge.minY !== edge.maxY);
  const crossings = new Float32Array(2 * slanted.length);
  bottom = Math.min(bottom, height);
  for (let y = Math.max(top, 0); y <= bottom; y++) {
    const count = crossRow(slanted, y, bottom, crossings);
    crossings.subarray(0, count).sort();
    for (let i = 1; i < count; i += 2) fillRow(roundHalfOut(crossings[i - 1]!), y, roundHalfIn(crossings[i]!));
  }
};

/** Edges between consecutive points; consecutive horizontal edges in one direction are merged. */
const edgesOf = (points: readonly (readonly [x: number, y: number])[]): Edge[] => {
  const edges: Edge[] = [];
  for (let i = 0; i + 1 < points.length; i++) {
    const [[x0, y0], [x1, y1]] = [points[i]!, points[i + 1]!];
    const before = points[i - 1];
    if (y0 === y1 && before?.[1] === y0) {
      if (x1 > x0 && x0 > before[0]) {
        edges.at(-1)!.maxX = x1;
        continue;
      }
      if (x1 < x0 && x0 < before[0]) {
        edges.at(-1)!.minX = x1;
        continue;
      }
    }
    edges.push(edgeOf(x0, y0, x1, y1));
  }
  const [[firstX, firstY], [lastX, lastY]] = [points[0]!, points.at(-1)!];
  if (lastX !== firstX || lastY !== firstY) edges.push(edgeOf(lastX, lastY, firstX, firstY));
  return edges;
};

const edgeOf = (x0: number, y0: number, x1: number, y1: number): Edge => ({
  x0,
  y0,
  minX: Math.min(x0, x1),
  maxX: Math.max(x0, x1),
  minY: Math.min(y0, y1),
  maxY: Math.max(y0, y1),
  slope: y0 === y1 ? 0 : f(f(x1 - x0) / f(y1 - y0)),
});

/** x of an edge's line on row y. */
const xOn = (edge: Edge, y: number): number => f(f(f(y - edge.y0) * edge.slope) + edge.x0);

/** Writes the x of the edges that cross row y into `crossings` and returns their number. */
const crossRow = (edges: readonly Edge[], y: number, bottom: number, crossings: Float32Array): number => {
  let count = 0;
  edges.forEach((edge, index) => {
    if (y < edge.minY || y > edge.maxY) return;
    const x = xOn(edge, y);
    crossings[count++] = x;
    if (y === edge.maxY && y < bottom) {
      // An edge that ends here counts twice: its last pixel is drawn, and the inside does not change.
      crossings[count++] = x;
    } else if (edge.slope !== 0 && Number.isInteger(x)) {
      const other = edges.findIndex((candidate, k) => k < index && isCornerWith(edge, candidate, x, y));
      // Like Pillow, indexed by the edge, not by its crossing.
      if (other >= 0) crossings[other] = cornerEnd(edge, edges[other]!, y, bottom);
    }
  });
  return count;
};

/** Whether both edges slope the same way and start, or end, in the same pixel of row y. */
const isCornerWith = (edge: Edge, other: Edge, x: number, y: number): boolean =>
  (edge.slope > 0 ? other.slope > 0 : other.slope < 0) &&
  ((y === edge.minY && y === other.minY) || (y === edge.maxY && y === other.maxY)) &&
  x === xOn(other, y);

/** x to which a pointed corner extends: that of the edges on the next row, or on the last row the previous one. */
const cornerEnd = (edge: Edge, other: Edge, y: number, bottom: number): number => {
  const neighbor = y === bottom ? y - 1 : y + 1;
  const [a, b] = [xOn(edge, neighbor), xOn(other, neighbor)];
  if (y === edge.maxY) return edge.slope > 0 ? Math.max(a, b) + 1 : Math.min(a, b) - 1;
  return edge.slope > 0 ? Math.min(a, b) : Math.max(a, b) + 1;
};

/** Rounds to the nearest integer, halves away from 0. */
const roundHalfOut = (x: number): number => (x >= 0 ? Math.floor(f(x + 0.5)) : -Math.floor(-x + 0.5));
/** Rounds to the nearest integer, halves toward 0. */
const roundHalfIn = (x: number): number => (x >= 0 ? Math.ceil(f(x - 0.5)) : -Math.ceil(-x - 0.5));
