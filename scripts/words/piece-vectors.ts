import type { Tokenizer } from '../../src/text/index.ts';

/** Adds `vector` to `sum`. */
export const accumulate = (sum: Float32Array, vector: Float32Array, weight = 1): void => {
  vector.forEach((value, i) => (sum[i] = sum[i]! + weight * value));
};

/** A vector scaled to a root mean square of 1. */
export const normalize = (vector: Float32Array): Float32Array => {
  const scale = Math.sqrt(vector.length) / Math.hypot(...vector);
  return vector.map((value) => value * scale);
};

/**
 * Vectors of pieces by token id: the sum of the vectors of the words that a tokenizer reads in several pieces, of which one is this.
 * `normalize` makes it their mean direction.
 */
export const pieceVectors = (
  tokenizer: Tokenizer,
  words: readonly string[],
  vectorOf: (word: string) => Float32Array,
): ReadonlyMap<number, Float32Array> => {
  const pieces = new Map<number, Float32Array>();
  for (const word of words) {
    const ids = tokenizer.encode(word).ids.slice(1, -1);
    if (ids.length === 1) continue;
    const vector = vectorOf(word);
    for (const id of ids) {
      const sum = pieces.get(id) ?? new Float32Array(vector.length);
      accumulate(sum, vector);
      pieces.set(id, sum);
    }
  }
  return pieces;
};
