import { maskToDense, type RunLengthMask } from './run-lengths.ts';

/** Options of `maskToPolygons`. */
export interface PolygonOptions {
  /** Maximum distance in pixels by which the polygons may leave the outline, to have fewer points. Default 0: exact. */
  readonly tolerance?: number | undefined;
}

/** Directions of boundary edges: right, down, left, up. */
const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/**
 * Outlines of a mask along the edges of its pixels, one polygon for each 4-connected part, as x0, y0, x1, y1, … in pixels.
 * Largest part first. Holes are filled: polygons of annotation formats cannot have any.
 */
export const maskToPolygons = (mask: RunLengthMask, { tolerance = 0 }: PolygonOptions = {}): number[][] =>
  outlinesOf(mask)
    .filter((ring) => signedArea(ring) > 0)
    .sort((a, b) => signedArea(b) - signedArea(a))
    .map((ring) => (tolerance > 0 ? simplified(ring, tolerance) : ring));

/** Closed boundary lines, the mask on their right: clockwise around parts, counterclockwise around holes. */
const outlinesOf = (mask: RunLengthMask): number[][] => {
  const edges = boundaryEdges(mask);
  const columns = mask.width + 1;
  const rings: number[][] = [];
  for (const [start, directions] of edges)
    while (directions.length > 0) {
      const ring: number[] = [];
      let vertex = start;
      let direction = directions.at(-1)!;
      let before = -1;
      do {
        const out = edges.get(vertex)!;
        // Where two parts touch at a corner, the right turn stays with the same pixel.
        const turn = (before + 1) % 4;
        const next = out.length > 1 && before >= 0 && out.includes(turn) ? turn : out.at(-1)!;
        direction = vertex === start && before < 0 ? direction : next;
        out.splice(out.indexOf(direction), 1);
        if (direction !== before) ring.push(vertex % columns, Math.floor(vertex / columns));
        const [dx, dy] = STEPS[direction]!;
        vertex += dx + dy * columns;
        before = direction;
      } while (vertex !== start);
      rings.push(withoutStartOnEdge(ring));
    }
  return rings;
};

/** Outgoing directions of the boundary edges, by vertex (y × (width + 1) + x). */
const boundaryEdges = (mask: RunLengthMask): Map<number, number[]> => {
  const { width, height } = mask;
  const pixels = maskToDense(mask);
  const edges = new Map<number, number[]>();
  const add = (x: number, y: number, direction: number): void => {
    const vertex = y * (width + 1) + x;
    const known = edges.get(vertex);
    if (known === undefined) edges.set(vertex, [direction]);
    else known.push(direction);
  };
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      if (pixels[at] === 0) continue;
      if (y === 0 || pixels[at - width] === 0) add(x, y, 0);
      if (x === width - 1 || pixels[at + 1] === 0) add(x + 1, y, 1);
      if (y === height - 1 || pixels[at + width] === 0) add(x + 1, y + 1, 2);
      if (x === 0 || pixels[at - 1] === 0) add(x, y + 1, 3);
    }
  return edges;
};

/** The ring without its first point if that lies in the middle of an edge. */
const withoutStartOnEdge = (ring: number[]): number[] => {
  const [x0, y0, x1, y1] = [ring[0]!, ring[1]!, ring[2]!, ring[3]!];
  const [px, py] = [ring.at(-2)!, ring.at(-1)!];
  return (x1 - x0) * (y0 - py) === (y1 - y0) * (x0 - px) ? ring.slice(2) : ring;
};

/** Area of a closed ring, positive if it is clockwise on the screen. */
const signedArea = (ring: readonly number[]): number => {
  let twice = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    twice += ring[i]! * ring[j + 1]! - ring[j]! * ring[i + 1]!;
  }
  return twice / 2;
};

/** Ramer-Douglas-Peucker on a closed ring, between its first point and the point farthest from it. */
const simplified = (ring: readonly number[], tolerance: number): number[] => {
  const count = ring.length / 2;
  const keep = new Uint8Array(count);
  let far = 0;
  let largest = -1;
  for (let i = 0; i < count; i++) {
    const distance = Math.hypot(ring[2 * i]! - ring[0]!, ring[2 * i + 1]! - ring[1]!);
    if (distance > largest) [largest, far] = [distance, i];
  }
  keep[0] = keep[far] = 1;
  const open: [number, number][] = [
    [0, far],
    [far, count],
  ];
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const [from, to] = range;
    let [worst, index] = [tolerance, -1];
    for (let i = from + 1; i < to; i++) {
      const distance = distanceToLine(ring, i, from, to % count);
      if (distance > worst) [worst, index] = [distance, i];
    }
    if (index < 0) continue;
    keep[index] = 1;
    open.push([from, index], [index, to]);
  }
  const points: number[] = [];
  keep.forEach((isKept, i) => {
    if (isKept === 1) points.push(ring[2 * i]!, ring[2 * i + 1]!);
  });
  return points.length >= 6 ? points : [...ring];
};

const distanceToLine = (ring: readonly number[], point: number, from: number, to: number): number => {
  const [px, py] = [ring[2 * point]! - ring[2 * from]!, ring[2 * point + 1]! - ring[2 * from + 1]!];
  const [dx, dy] = [ring[2 * to]! - ring[2 * from]!, ring[2 * to + 1]! - ring[2 * from + 1]!];
  const length = Math.hypot(dx, dy);
  return length === 0 ? Math.hypot(px, py) : Math.abs(px * dy - py * dx) / length;
};
