/** A generator of uniform numbers in [0, 1), the same everywhere for the same seed (splitmix32 by Steele et al.). */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
};

/** A seed out of a seed and a name (FNV-1a), so that what one name draws does not depend on the others. */
export const seedFor = (seed: number, name: string): number => {
  let hash = (2166136261 ^ seed) >>> 0;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
  return hash;
};
