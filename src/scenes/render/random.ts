/**
 * Random numbers that depend on a key and a counter alone, so that scene 17 of seed 5 is the same whoever draws it,
 * on whichever thread and after whatever else was drawn.
 *
 * The n-th number of a stream is mix(mix(n · φ + k₀) ⊕ k₁), where `mix` is the 32-bit finaliser of MurmurHash3
 * (a bijection with full avalanche), φ is 2³² divided by the golden ratio, and the key (k₀, k₁) is hashed from the
 * integers that name the stream. 32-bit integer arithmetic only: equal on every platform.
 */
export class Random {
  private counter = 0;

  private constructor(
    private readonly key0: number,
    private readonly key1: number,
  ) {}

  /** The stream named by integers and strings, such as `Random.of(seed, index, 'layout')`. */
  static of(...name: readonly (number | string)[]): Random {
    let key0 = 0x243f6a88; // the first hexadecimal digits of π: any constants do
    let key1 = 0x85a308d3;
    const absorb = (word: number): void => {
      key0 = mix(key0 ^ word);
      key1 = mix((key1 + word) | 0) ^ Math.imul(key0, GOLDEN);
    };
    for (const part of name) {
      if (typeof part === 'string') {
        for (let i = 0; i < part.length; i++) absorb(part.charCodeAt(i));
        absorb(-part.length);
      } else {
        absorb(part | 0);
        absorb(Math.floor(part / 4294967296) | 0);
      }
    }
    return new Random(key0, key1);
  }

  /** 32 random bits as an unsigned integer. */
  uint32(): number {
    this.counter = (this.counter + 1) | 0;
    return mix(mix((Math.imul(this.counter, GOLDEN) + this.key0) | 0) ^ this.key1) >>> 0;
  }

  /** Uniform in [0, 1), a multiple of 2⁻³². */
  uniform(): number {
    return this.uint32() / 4294967296;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** An integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** An integer in [low, high], both included. */
  integer(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('internal: Random.pick of an empty list');
    return list[this.below(list.length)]!;
  }

  /** One element, with probability proportional to its weight. */
  pickWeighted<T>(list: readonly T[], weights: readonly number[]): T {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let left = this.uniform() * total;
    for (let i = 0; i < list.length; i++) {
      left -= weights[i]!;
      if (left < 0) return list[i]!;
    }
    return this.pick(list);
  }

  /** A new list with the same elements in random order (Fisher and Yates). */
  shuffled<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }
}

const GOLDEN = 0x9e3779b9;

const mix = (value: number): number => {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};
