/**
 * Greedy graph coloring by descending degree (ties: higher index first) with a capacity per color. A vertex gets the
 * lowest color that no neighbor has and for which `used + size + 2 <= capacity`, or a new color. A vertex larger than the
 * capacity gets a color of its own.
 *
 * @param conflicts whether vertices i < j must not share a color
 * @returns the vertices of each color in coloring order; colors in order of their first vertex
 */
export const colorGreedily = (
  sizes: readonly number[],
  capacity: number,
  conflicts: (i: number, j: number) => boolean,
): number[][] => {
  const neighbors: number[][] = sizes.map(() => []);
  for (let i = 0; i < sizes.length; i++)
    for (let j = i + 1; j < sizes.length; j++)
      if (conflicts(i, j)) {
        neighbors[i]!.push(j);
        neighbors[j]!.push(i);
      }
  const order = [...sizes.keys()].sort((a, b) => neighbors[b]!.length - neighbors[a]!.length || b - a);
  const colorOf = new Int32Array(sizes.length).fill(-1);
  // Color 0 exists from the start. It stays available when the first vertex does not fit.
  const used = [0];
  const verticesOf = new Map<number, number[]>();
  for (const vertex of order) {
    const taken = new Set(neighbors[vertex]!.map((neighbor) => colorOf[neighbor]!));
    const size = sizes[vertex]!;
    let color = 0;
    while (color < used.length && (taken.has(color) || used[color]! + size + 2 > capacity)) color++;
    colorOf[vertex] = color;
    used[color] = (used[color] ?? 0) + size;
    const vertices = verticesOf.get(color);
    if (vertices === undefined) verticesOf.set(color, [vertex]);
    else vertices.push(vertex);
  }
  return [...verticesOf.values()];
};
