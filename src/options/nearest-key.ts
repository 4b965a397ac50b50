/** Edit distance with adjacent transpositions (optimal string alignment): insert, delete, replace, swap. */
const editDistance = (a: string, b: string): number => {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? beforeLast[j - 2]! + 1 : Infinity;
      row[j] = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1, swapped);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
};

/**
 * The known name closest to a misspelled one, ignoring case and `-` versus `_`. Returns undefined if more than a third of
 * the name (at least two characters) would have to change.
 */
export const nearestKey = (word: string, known: readonly string[]): string | undefined => {
  const plain = (key: string): string => key.toLowerCase().replaceAll('-', '_');
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const key of known) {
    const distance = editDistance(plain(word), plain(key));
    if (distance < bestDistance) [best, bestDistance] = [key, distance];
  }
  return bestDistance <= Math.max(2, Math.ceil(word.length / 3)) ? best : undefined;
};
