const N = 624;
const M = 397;

/**
 * Python's `random` for a whole-number seed: MT19937 (Matsumoto and Nishimura 1998) filled by `init_by_array`, and
 * `choice` as Python has drawn it since 3.2. For data sets whose official files depend on it.
 */
export class PythonRandom {
  private readonly state = new Uint32Array(N);
  private next = N;

  /** `seed`: from 0 to 2^32 - 1. */
  constructor(seed: number) {
    const { state } = this;
    state[0] = 19650218;
    for (let i = 1; i < N; i++) {
      const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = Math.imul(1812433253, before) + i;
    }
    // init_by_array with a key of one number: its index is always 0.
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

  /** `random.choice` of a list that is not empty. */
  choice<Item>(list: readonly Item[]): Item {
    return list[this.below(list.length)]!;
  }

  /** A number from 0 to `limit` - 1: as many bits as `limit` has, drawn until they are below it. */
  below(limit: number): number {
    const bits = 32 - Math.clz32(limit);
    for (;;) {
      const draw = this.uint32() >>> (32 - bits);
      if (draw < limit) return draw;
    }
  }

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
