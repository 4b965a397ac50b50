import { addTo, allReduceEach, broadcastBySum, partBound, type Communicator } from '../communicator.ts';
import { roundToBfloat16, type Precision } from '../bfloat16.ts';
import type { MpiLibrary } from './mpi-library.ts';
import { waitUntil, type GroupWatch } from './waiting.ts';

/** Values of one round: a round's memory fits a core's own cache. */
const VALUES_PER_ROUND = 2 ** 15;
/** Arrays are copied together to this many values. */
const PACKED_VALUES = 2 ** 18;
/** Rounds of at most this many values are added by every process. For larger ones each process adds a part. */
const ADDED_EVERYWHERE = 2 ** 11;
/** Arrays of at most this many values are added in JavaScript: a call into the library takes longer. */
const ADDED_HERE = 2 ** 9;
/** Bytes of a cache line, in which no two processes should write. */
const LINE_BYTES = 64;
/** Polls of another process's counter before the event loop may get a turn. */
const FIRST_POLLS = 1000;
/** Time for which a process waits for others without sleeping: those of a step arrive within microseconds. */
const ALERT_MS = 0.1;

/** Part of the shared memory that one process writes and all read. */
interface Segment {
  /** One element: number of phases that the process has completed. */
  readonly phase: Int32Array;
  /** Values that the process contributes, alternately in one and the other. */
  readonly slots: readonly [Float32Array, Float32Array];
  /** Sums of the process's part of a round. */
  readonly sums: Float32Array;
}

/**
 * Communicator between processes of one host, over memory that MPI lets them share. Values are summed in the order of ranks,
 * with the bits of `MessageCommunicator`. A round goes through memory that stays in the caches, and there are no messages: a
 * process counts the phases that it has completed.
 */
export class WindowCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly packedLength = PACKED_VALUES;
  private readonly segments: readonly Segment[];
  private readonly own: Segment;
  /** Sums of a round, for processes after the second, whose own values are not among the first to be added. */
  private readonly accumulated: Float32Array;
  private round = 0;
  private phase = 0;

  private constructor(
    private readonly library: MpiLibrary,
    memory: readonly ArrayBuffer[],
    private readonly watch: GroupWatch | undefined,
  ) {
    this.rank = library.rank;
    this.size = library.size;
    this.segments = memory.map(segmentIn);
    this.own = this.segments[this.rank]!;
    this.accumulated = new Float32Array(new ArrayBuffer(VALUES_PER_ROUND * 4));
    this.own.phase[0] = 0;
  }

  /** Opens the shared memory of all processes, which all call it; undefined if they have none. */
  static open(library: MpiLibrary, watch?: GroupWatch): WindowCommunicator | undefined {
    const memory = library.shareMemory(SEGMENT_BYTES);
    return memory === undefined ? undefined : new WindowCommunicator(library, memory, watch);
  }

  allReduce(values: Float32Array, precision: Precision = 'float32'): Promise<void> {
    // Small arrays take a microsecond, of which a promise would be a good part.
    if (values.length <= ADDED_EVERYWHERE && precision === 'float32') return this.addEverywhere(values) ?? DONE;
    return this.allReduceRounds(values, precision);
  }

  private async allReduceRounds(values: Float32Array, precision: Precision): Promise<void> {
    if (precision === 'bfloat16') roundToBfloat16(values);
    for (let start = 0; start < values.length; start += VALUES_PER_ROUND) {
      const part = values.subarray(start, start + VALUES_PER_ROUND);
      if (this.size === 2 || part.length <= ADDED_EVERYWHERE) await this.addEverywhere(part);
      else await this.addParts(part);
    }
    if (precision === 'bfloat16') roundToBfloat16(values);
  }

  allReduceAll(arrays: readonly Float32Array[], precision?: Precision): Promise<void> {
    return allReduceEach(this, arrays, precision);
  }

  broadcast(values: Float32Array, root: number): Promise<void> {
    return broadcastBySum(this, values, root);
  }

  barrier(): Promise<void> {
    return this.completePhase() ?? DONE;
  }

  /** Every process adds the values of all. Returns a promise only if others have not arrived yet. */
  private addEverywhere(values: Float32Array): Promise<void> | undefined {
    // The other slot may still be read: a process that is in this round has read those of the round before.
    const slot = ++this.round & 1;
    this.own.slots[slot]!.set(values);
    const waiting = this.completePhase();
    if (waiting === undefined) this.addInOrder(values, slot, 0);
    else return waiting.then(() => this.addInOrder(values, slot, 0));
    return undefined;
  }

  /** Every process adds a part of the values of all, and reads the sums of the others. */
  private async addParts(values: Float32Array): Promise<void> {
    const { segments, own, rank, size } = this;
    const slot = ++this.round & 1;
    const bound = (part: number): number => partBound(part, values.length, size);
    const [from, to] = [bound(rank), bound(rank + 1)];
    const part = values.subarray(from, to);
    own.slots[slot]!.set(values.subarray(0, from));
    own.slots[slot]!.set(values.subarray(to), to);
    await this.completePhase();
    this.addInOrder(part, slot, from);
    own.sums.set(part);
    await this.completePhase();
    for (let other = 0; other < size; other++)
      if (other !== rank) values.set(segments[other]!.sums.subarray(0, bound(other + 1) - bound(other)), bound(other));
  }

  /**
   * Replaces own values by the sums over all processes, in the order of ranks.
   *
   * @param from index of the first value in the slots
   */
  private addInOrder(values: Float32Array, slot: number, from: number): void {
    const { library, rank, size, accumulated } = this;
    const { length } = values;
    if (length <= ADDED_HERE) {
      this.addHere(values, slot, from);
      return;
    }
    // The sum of two values does not depend on their order.
    if (rank < 2) {
      for (let other = 0; other < size; other++)
        if (other !== rank) library.addTo(values, this.slotOf(other, slot, from));
      return;
    }
    const sums = accumulated.subarray(0, length);
    sums.set(this.slotOf(0, slot, from).subarray(0, length));
    for (let other = 1; other < size; other++)
      library.addTo(sums, other === rank ? values : this.slotOf(other, slot, from));
    values.set(sums);
  }

  /** Adds as `addInOrder` does. */
  private addHere(values: Float32Array, slot: number, from: number): void {
    const { segments, rank, size } = this;
    if (size === 2) {
      addTo(values, this.slotOf(1 - rank, slot, from));
      return;
    }
    const all = segments.map((_, other) => (other === rank ? values : this.slotOf(other, slot, from)));
    for (let index = 0; index < values.length; index++) {
      let sum = all[0]![index]!;
      for (let other = 1; other < size; other++) sum = Math.fround(sum + all[other]![index]!);
      values[index] = sum;
    }
  }

  private slotOf(other: number, slot: number, from: number): Float32Array {
    const values = this.segments[other]!.slots[slot]!;
    return from === 0 ? values : values.subarray(from);
  }

  /** Tells the others that this process's phase is complete. Returns a promise only if theirs is not yet. */
  private completePhase(): Promise<void> | undefined {
    // Counters wrap around.
    this.phase = (this.phase + 1) | 0;
    Atomics.store(this.own.phase, 0, this.phase);
    for (let poll = 0; poll < FIRST_POLLS; poll++) if (this.isPhaseComplete()) return undefined;
    return waitUntil(() => this.isPhaseComplete(), this.watch, ALERT_MS);
  }

  private isPhaseComplete(): boolean {
    const { segments, phase } = this;
    for (let other = 0; other < segments.length; other++)
      if (((Atomics.load(segments[other]!.phase, 0) - phase) | 0) < 0) return false;
    return true;
  }
}

const DONE = Promise.resolve();

/** Size of a process's part of the shared memory, with room to align it. */
const SEGMENT_BYTES = 3 * LINE_BYTES + 3 * VALUES_PER_ROUND * 4;

const segmentIn = (memory: ArrayBuffer): Segment => {
  // The memory begins at a multiple of 8 bytes; a line of its own lies between the counter and what others write before it.
  const values = (index: number): Float32Array =>
    new Float32Array(memory, 2 * LINE_BYTES + index * VALUES_PER_ROUND * 4, VALUES_PER_ROUND);
  return { phase: new Int32Array(memory, LINE_BYTES, 1), slots: [values(0), values(1)], sums: values(2) };
};
