/**
 * Greedy colouring by falling degree (ties: the higher number first) with room in every colour: a vertex takes the
 * lowest colour that no neighbour has and where `used + size + 2 <= capacity`; none fits, a new one. A vertex too large
 * for any colour thus gets one of its own.
 *
 * `conflicts(i, j)`, i < j, tells whether two vertices may not share a colour. Returns the colours' vertices in the
 * order in which they were coloured, colours by their first vertex.
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
  // There is one colour from the start. It stays empty when its first vertex does not fit, and the rest may still use it.
  const used = [0];
  const members = new Map<number, number[]>();
  for (const vertex of order) {
    const taken = new Set(neighbors[vertex]!.map((neighbor) => colorOf[neighbor]!));
    const size = sizes[vertex]!;
    let color = 0;
    while (color < used.length && (taken.has(color) || used[color]! + size + 2 > capacity)) color++;
    colorOf[vertex] = color;
    used[color] = (used[color] ?? 0) + size;
    const group = members.get(color);
    if (group === undefined) members.set(color, [vertex]);
    else group.push(vertex);
  }
  return [...members.values()];
};
