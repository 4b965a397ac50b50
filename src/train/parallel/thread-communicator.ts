import { setImmediate } from 'node:timers/promises';
import { roundToBfloat16, type Precision } from './bfloat16.ts';
import { addTo, allReduceEach, broadcastBySum, partBound, type Communicator } from './communicator.ts';
import { GroupEnded } from './group-ended.ts';

/** Memory that the threads of a group share. */
export interface SharedGroup {
  /** Number of threads that have arrived in the current round, index of the round, and whether a thread has failed. */
  readonly control: Int32Array;
  /** Values of each thread. */
  readonly inputs: readonly Float32Array[];
  readonly sums: Float32Array;
}

/** Indices into `control`. */
const [ARRIVED, ROUND, FAILED] = [0, 1, 2];

/** Interval of checks whether a thread has failed; in between, signals and messages of other threads are handled. */
const POLL_MS = 50;

/**
 * Allocates the memory of a group.
 *
 * @param size number of threads
 * @param values number of values of an all-reduce round; longer arrays take several rounds
 */
export const makeSharedGroup = (size: number, values: number): SharedGroup => {
  const shared = (): Float32Array => new Float32Array(new SharedArrayBuffer(values * Float32Array.BYTES_PER_ELEMENT));
  return {
    control: new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)),
    inputs: Array.from({ length: size }, shared),
    sums: shared(),
  };
};

/** Communicator between threads of one process, over shared memory. Values are summed in the order of ranks. */
export class ThreadCommunicator implements Communicator {
  readonly size: number;
  readonly packedLength: number;

  constructor(
    readonly rank: number,
    private readonly group: SharedGroup,
  ) {
    this.size = group.inputs.length;
    this.packedLength = group.sums.length;
  }

  /**
   * Sums over all threads; each thread computes the sums of one chunk.
   *
   * @throws {GroupEnded} when another thread has failed
   */
  async allReduce(values: Float32Array, precision: Precision = 'float32'): Promise<void> {
    const { group, rank, size } = this;
    if (precision === 'bfloat16') roundToBfloat16(values);
    const own = group.inputs[rank]!;
    for (let start = 0; start < values.length; start += own.length) {
      const chunk = values.subarray(start, start + own.length);
      own.set(chunk);
      await this.barrier();
      const [from, to] = [rank, rank + 1].map((part) => partBound(part, chunk.length, size));
      const sums = group.sums.subarray(from, to);
      sums.set(group.inputs[0]!.subarray(from, to));
      for (const input of group.inputs.slice(1)) addTo(sums, input.subarray(from, to));
      await this.barrier();
      chunk.set(group.sums.subarray(0, chunk.length));
    }
    if (precision === 'bfloat16') roundToBfloat16(values);
  }

  allReduceAll(arrays: readonly Float32Array[], precision?: Precision): Promise<void> {
    return allReduceEach(this, arrays, precision);
  }

  broadcast(values: Float32Array, root: number): Promise<void> {
    return broadcastBySum(this, values, root);
  }

  async barrier(): Promise<void> {
    const { control } = this.group;
    const round = Atomics.load(control, ROUND);
    if (Atomics.add(control, ARRIVED, 1) === this.size - 1) {
      Atomics.store(control, ARRIVED, 0);
      Atomics.add(control, ROUND, 1);
      Atomics.notify(control, ROUND);
      return;
    }
    // Check after every wake-up: the notification of one round may arrive while the thread waits for the next.
    while (Atomics.load(control, ROUND) === round) {
      if (Atomics.wait(control, ROUND, round, POLL_MS) !== 'timed-out') continue;
      if (Atomics.load(control, FAILED) > 0) throw new GroupEnded('another process of this training has failed');
      await setImmediate();
    }
  }

  /** Tells the other threads that this one has failed and takes part in no more rounds. */
  leave(): void {
    Atomics.store(this.group.control, FAILED, 1);
  }
}
