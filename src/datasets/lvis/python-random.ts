const N = 624;
const M = 397;

/**
 * Python's `random.Random` with an integer seed: MT19937 (Matsumoto and Nishimura, 1998) initialized by `init_by_array`,
 * and `choice` as of Python 3.2. For datasets whose official files depend on it.
 */
export class PythonRandom {
  private readonly state = new Uint32Array(N);
  private next = N;

  /** @param seed integer in [0, 2^32) */
  constructor(seed: number) {
    const { state } = this;
    state[0] = 19650218;
    for (let i = 1; i < N; i++) {
      const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = Math.imul(1812433253, before) + i;
    }
    // init_by_array with a key of one word, whose index is always 0.
    let i = 1;
    for (let k = 0; k < N; k++) {
      const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = (state[i]! ^ Math.imul(before, 1664525)) + seed;
      i = this.wrapped(i + 1);
    }
    for (let k = 0; k < N - 1; k++) {
      const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = (state[i]! ^ Math.imul(before, 1566083941)) - i;
      i = this.wrapped(i + 1);
    }
    state[0] = 0x80000000;
  }

  /** `random.choice` of a non-empty list. */
  choice<Item>(list: readonly Item[]): Item {
    return list[this.below(list.length)]!;
  }

  /** Uniform integer in [0, limit), by rejection of values with as many bits as `limit`. */
  below(limit: number): number {
    const bits = 32 - Math.clz32(limit);
    for (;;) {
      const value = this.uint32() >>> (32 - bits);
      if (value < limit) return value;
    }
  }

  /** Next 32 random bits, `getrandbits(32)`. */
  uint32(): number {
    if (this.next === N) this.refill();
    let y = this.state[this.next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  private wrapped(i: number): number {
    if (i < N) return i;
    this.state[0] = this.state[N - 1]!;
    return 1;
  }

  private refill(): void {
    const { state } = this;
    for (let i = 0; i < N; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
      state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
    }
    this.next = 0;
  }
}
