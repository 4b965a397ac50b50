import { GOLDEN_RATIO, lowbiasMix, murmurMix } from './mixing.ts';

/** A sequence of random 32-bit unsigned integers. */
export type BitSource = () => number;

/**
 * Bits that depend on a name and a counter alone, so that scene 17 of seed 5 is the same on whichever thread and in
 * whatever order scenes are made.
 *
 * The n-th integer is mix(mix(n · φ + k₀) ⊕ k₁), where mix is `murmurMix`, φ is `GOLDEN_RATIO`, and the key (k₀, k₁) is
 * hashed from the parts of the name.
 */
export const namedBits = (name: readonly (number | string)[]): BitSource => {
  let key0 = 0x243f6a88; // the first hexadecimal digits of π
  let key1 = 0x85a308d3;
  const absorb = (word: number): void => {
    key0 = murmurMix(key0 ^ word);
    key1 = murmurMix((key1 + word) | 0) ^ Math.imul(key0, GOLDEN_RATIO);
  };
  for (const part of name) {
    if (typeof part === 'string') {
      for (let i = 0; i < part.length; i++) absorb(part.charCodeAt(i));
      absorb(-part.length);
    } else {
      // Both halves of an integer beyond 32 bits count.
      absorb(part | 0);
      absorb(Math.floor(part / 2 ** 32) | 0);
    }
  }
  let counter = 0;
  return () => {
    counter = (counter + 1) | 0;
    return murmurMix(murmurMix((Math.imul(counter, GOLDEN_RATIO) + key0) | 0) ^ key1) >>> 0;
  };
};

/*
 * The two sources below have numbers that stored runs depend on: a config trains the same network again, and a run that
 * was stopped in the middle of an epoch goes over the rest of it. Everything else uses named bits.
 */

/** Bits of the initial values of one parameter (splitmix32 by Steele et al.). `seed` is an unsigned 32-bit integer. */
export const initialValueBits = (seed: number): BitSource => {
  let state = seed >>> 0;
  return () => {
    state = (state + GOLDEN_RATIO) >>> 0;
    return lowbiasMix(state) >>> 0;
  };
};

/** Bits of the order of samples in an epoch: xoshiro128** (Blackman and Vigna), its state filled from integers. */
export const epochOrderBits = (name: readonly number[]): BitSource => {
  const step = (state: number): number => murmurMix((state + GOLDEN_RATIO) | 0);
  let mixed = 0;
  for (const part of name) {
    mixed = step(mixed ^ (part | 0));
    mixed = step(mixed ^ Math.floor(part / 2 ** 32));
  }
  let [a, b, c, d] = [1, 2, 3, 4].map((k) => step(mixed + Math.imul(k, GOLDEN_RATIO))) as [
    number,
    number,
    number,
    number,
  ];
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

const rotateLeft = (x: number, k: number): number => (x << k) | (x >>> (32 - k));
