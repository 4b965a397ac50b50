import type { Random } from '../../random/random.ts';

/** Minimum length of words that are misspelled: errors in shorter ones make other words ("ball", "bull"). */
const MIN_LETTERS = 5;

/** Words that one error turns into another word of the language. */
const CONFUSABLE: ReadonlySet<string> = new Set([
  'there',
  'three',
  'these',
  'those',
  'where',
  'seven',
  'eight',
  'which',
]);

/** Letters beside each letter of a QWERTY keyboard. */
// prettier-ignore
const NEIGHBORS: Readonly<Record<string, string>> = {
  a: 'sq', b: 'vn', c: 'xv', d: 'sf', e: 'wr', f: 'dg', g: 'fh', h: 'gj', i: 'uo', j: 'hk', k: 'jl', l: 'k',
  m: 'n', n: 'bm', o: 'ip', p: 'o', q: 'w', r: 'et', s: 'ad', t: 'ry', u: 'yi', v: 'cb', w: 'qe', x: 'zc',
  y: 'tu', z: 'x',
};

/**
 * Misspells each word of five letters or more with the given probability: two letters swapped, one left out, doubled, or
 * replaced by its neighbor on the keyboard. The first letter stays.
 */
export const misspell = (text: string, probability: number, random: Random): string => {
  if (probability === 0) return text;
  return text.replace(/[A-Za-z]+/g, (word) => {
    if (word.length < MIN_LETTERS || CONFUSABLE.has(word.toLowerCase()) || !random.chance(probability)) return word;
    const at = random.integer(1, word.length - 2);
    const letter = word[at]!;
    const [before, after] = [word.slice(0, at), word.slice(at + 1)];
    switch (random.integer(0, 3)) {
      case 0:
        return `${before}${after.charAt(0)}${letter}${after.slice(1)}`;
      case 1:
        return before + after;
      case 2:
        return before + letter + letter + after;
      default:
        return before + random.pick(Array.from(NEIGHBORS[letter.toLowerCase()] ?? letter)) + after;
    }
  });
};
