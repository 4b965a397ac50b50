/**
 * Greedy colouring by falling degree (ties: the higher number first) with room in every colour: a vertex takes the
 * lowest colour that no neighbour has and where `used + size + 2 <= capacity`; none fits, a new one. A vertex too large
 * for any colour thus gets one of its own.
 *
 * `conflicts(i, j)`, i < j, tells whether two vertices may not share a colour. Returns the colours' vertices in the
 * order in which they were coloured, colours by their first vertex.
 */
export const colourGreedily = (
  sizes: readonly number[],
  capacity: number,
  conflicts: (i: number, j: number) => boolean,
): number[][] => {
  const neighbours: number[][] = sizes.map(() => []);
  for (let i = 0; i < sizes.length; i++)
    for (let j = i + 1; j < sizes.length; j++)
      if (conflicts(i, j)) {
        neighbours[i]!.push(j);
        neighbours[j]!.push(i);
      }
  const order = [...sizes.keys()].sort((a, b) => neighbours[b]!.length - neighbours[a]!.length || b - a);
  const colourOf = new Int32Array(sizes.length).fill(-1);
  // There is one colour from the start. It stays empty when its first vertex does not fit, and the rest may still use it.
  const used = [0];
  const members = new Map<number, number[]>();
  for (const vertex of order) {
    const taken = new Set(neighbours[vertex]!.map((neighbour) => colourOf[neighbour]!));
    const size = sizes[vertex]!;
    let colour = 0;
    while (colour < used.length && (taken.has(colour) || used[colour]! + size + 2 > capacity)) colour++;
    colourOf[vertex] = colour;
    used[colour] = (used[colour] ?? 0) + size;
    const group = members.get(colour);
    if (group === undefined) members.set(colour, [vertex]);
    else group.push(vertex);
  }
  return [...members.values()];
};
