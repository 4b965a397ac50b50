/**
 * Whole numbers below 2^32 from a seed of several numbers: xoshiro128** (Blackman and Vigna), its state filled by
 * splitmix32. Equal seeds give equal sequences on every machine; it is no cryptography.
 */
export const seededUint32 = (...seed: readonly number[]): (() => number) => {
  let mixed = 0;
  for (const part of seed) {
    // Both halves of a number beyond 32 bits count.
    mixed = splitmix32(mixed ^ (part | 0));
    mixed = splitmix32(mixed ^ Math.floor(part / 2 ** 32));
  }
  const fill = (k: number): number => splitmix32(mixed + Math.imul(k, 0x9e3779b9));
  let [a, b, c, d] = [fill(1), fill(2), fill(3), fill(4)];
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
};

/** A shuffled [0, …, length - 1], every order equally likely (Fisher-Yates); 4 bytes per number and nothing else. */
export const shuffledRange = (length: number, nextUint32: () => number): Uint32Array => {
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    const j = below(i + 1, nextUint32);
    order[i] = order[j]!;
    order[j] = i;
  }
  return order;
};

/** A number in [0, limit) without bias: draws from the uneven tail of the 32-bit range are thrown away. */
const below = (limit: number, nextUint32: () => number): number => {
  const tail = 2 ** 32 % limit;
  for (;;) {
    const draw = nextUint32();
    if (draw < 2 ** 32 - tail) return draw % limit;
  }
};

const rotateLeft = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

const splitmix32 = (state: number): number => {
  let z = (state + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
};
