/** Characters of a vocabulary of words and pieces; others are written as bytes. */
export const CHARACTERS = Array.from('abcdefghijklmnopqrstuvwxyz0123456789áàâäãåæçéèêëíìîïñóòôöõøœúùûüß');

type Merge = readonly [left: string, right: string];

/**
 * Trains BPE merges (Sennrich et al., 2016) on words: the most frequent pair of adjacent pieces becomes a piece, `count`
 * times. Ties are decided by the alphabet, so that the result depends only on the words.
 */
export const trainPieces = (words: readonly string[], count: number): readonly Merge[] => {
  const pieces = words.map((word) => Array.from(word));
  const merges: Merge[] = [];
  for (let step = 0; step < count; step++) {
    const counts = new Map<string, number>();
    for (const word of pieces)
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = `${word[i]!} ${word[i + 1]!}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    let best: string | undefined;
    let bestCount = 1;
    for (const [pair, frequency] of counts)
      if (frequency > bestCount || (frequency === bestCount && best !== undefined && pair < best)) {
        best = pair;
        bestCount = frequency;
      }
    if (best === undefined) break;
    const [left, right] = best.split(' ') as [string, string];
    merges.push([left, right]);
    for (const word of pieces)
      for (let i = 0; i + 1 < word.length; i++)
        if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
  }
  return merges;
};
