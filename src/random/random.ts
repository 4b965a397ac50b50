import { epochOrderBits, initialValueBits, namedBits, type BitSource } from './bit-sources.ts';
import { hashName } from './mixing.ts';

/**
 * Random numbers of this package: reproducible, equal on every platform, and not for cryptography. A generator is made
 * from what its numbers are for (a seed and a sample key or a name), never shared, so that no result depends on the order
 * in which others draw.
 */
export class Random {
  /** Next random unsigned 32-bit integer. */
  readonly uint32: () => number;

  private constructor(bits: BitSource) {
    this.uint32 = bits;
  }

  /** The generator named by integers and strings, such as `Random.of(seed, index, 'layout')`. */
  static of(...name: readonly (number | string)[]): Random {
    return new Random(namedBits(name));
  }

  /** The generator of the initial values of the parameter `name`: independent of all other parameters. */
  static ofParameter(seed: number, name: string): Random {
    return new Random(initialValueBits(hashName(seed, name)));
  }

  /** The generator of the order of samples that is named by integers, such as seed and epoch. */
  static ofEpochOrder(...name: readonly number[]): Random {
    return new Random(epochOrderBits(name));
  }

  /** Uniform in [0, 1), a multiple of 2⁻³². */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Standard normal (Box and Muller); draws two uniform numbers. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** An integer in [0, count). Some are likelier by up to `count` / 2³², which is nothing for small counts. */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** An integer in [low, high], both included. */
  integer(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One element of a non-empty list. */
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

  /** A new list with the same elements in random order (Fisher-Yates). */
  shuffled<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }

  /**
   * The integers from 0 to `length` - 1 in random order, all orders equally likely (Fisher-Yates). Takes 4 bytes an
   * integer, so that it serves datasets of millions of rows.
   */
  permutation(length: number): Uint32Array {
    const order = new Uint32Array(length);
    for (let i = 0; i < length; i++) {
      const j = this.unbiasedBelow(i + 1);
      order[i] = order[j]!;
      order[j] = i;
    }
    return order;
  }

  /** An integer in [0, limit), all equally likely: numbers from the uneven end of the 32-bit range are rejected. */
  private unbiasedBelow(limit: number): number {
    const tail = 2 ** 32 % limit;
    for (;;) {
      const value = this.uint32();
      if (value < 2 ** 32 - tail) return value % limit;
    }
  }
}
