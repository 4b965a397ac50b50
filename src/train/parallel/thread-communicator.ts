import { setImmediate } from 'node:timers/promises';
import { MdetrError } from '../../errors.ts';
import type { Communicator } from './communicator.ts';

/** What the threads of a group share. */
export interface SharedGroup {
  /** How many have come to the meeting, its number, and whether somebody has left for good. */
  readonly control: Int32Array;
  /** A place for the values of each. */
  readonly given: readonly Float32Array[];
  readonly sums: Float32Array;
}

const [arrived, round, left] = [0, 1, 2];

/** Between looks at whether somebody has left; in between signals and messages of other threads are served. */
const patienceMs = 50;

/** What the others of a group get to hear when one of them has failed. */
export class GroupEnded extends MdetrError {}

/** @param values how many are summed at once; longer arrays take several rounds */
export const makeSharedGroup = (size: number, values: number): SharedGroup => {
  const shared = (): Float32Array => new Float32Array(new SharedArrayBuffer(values * Float32Array.BYTES_PER_ELEMENT));
  return {
    control: new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)),
    given: Array.from({ length: size }, shared),
    sums: shared(),
  };
};

/** A communicator between threads of one process, over memory that they share. Sums are made in the order of ranks. */
export class ThreadCommunicator implements Communicator {
  readonly size: number;

  constructor(
    readonly rank: number,
    private readonly group: SharedGroup,
  ) {
    this.size = group.given.length;
  }

  /** Each thread sums a part of the values over all. Throws `GroupEnded` when another one has failed. */
  async allReduce(values: Float32Array): Promise<void> {
    const { group, rank, size } = this;
    const own = group.given[rank]!;
    for (let start = 0; start < values.length; start += own.length) {
      const round = values.subarray(start, start + own.length);
      own.set(round);
      await this.barrier();
      const [from, to] = [rank, rank + 1].map((part) => Math.floor((part * round.length) / size));
      const sums = group.sums.subarray(from, to);
      sums.set(group.given[0]!.subarray(from, to));
      for (const given of group.given.slice(1)) add(sums, given.subarray(from, to));
      await this.barrier();
      round.set(group.sums.subarray(0, round.length));
    }
  }

  async broadcast(values: Float32Array, root: number): Promise<void> {
    if (this.rank !== root) values.fill(0);
    await this.allReduce(values);
  }

  async barrier(): Promise<void> {
    const { control } = this.group;
    const number = Atomics.load(control, round);
    if (Atomics.add(control, arrived, 1) === this.size - 1) {
      Atomics.store(control, arrived, 0);
      Atomics.add(control, round, 1);
      Atomics.notify(control, round);
      return;
    }
    // Whoever wakes up looks for itself: the call of the last meeting may come when it waits for the next already.
    while (Atomics.load(control, round) === number) {
      if (Atomics.wait(control, round, number, patienceMs) !== 'timed-out') continue;
      if (Atomics.load(control, left) > 0) throw new GroupEnded('another process of this training has failed');
      await setImmediate();
    }
  }

  /** Tells the others that this one comes to no more meetings. */
  leave(): void {
    Atomics.store(this.group.control, left, 1);
  }
}

const add = (sums: Float32Array, values: Float32Array): void => {
  for (let index = 0; index < sums.length; index++) sums[index]! += values[index]!;
};
