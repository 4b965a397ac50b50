import { packBfloat16, unpackBfloat16, type Precision } from '../bfloat16.ts';
import { broadcastBySum, partBound, type Communicator } from '../communicator.ts';
import { LARGEST_MESSAGE_BYTES, type MpiLibrary, type MpiRequests } from './mpi-library.ts';
import { waitUntil, type GroupWatch } from './waiting.ts';

/**
 * Values of one round, of which two processes send each other half in a message. Longer arrays take several, so that little
 * memory is needed beside them.
 */
const VALUES_PER_ROUND = (2 * LARGEST_MESSAGE_BYTES) / Float32Array.BYTES_PER_ELEMENT;
/** Rounds in progress at the same time, a bucket of gradients: one is added while others are transferred. */
const ROUNDS_AT_ONCE = 4;
/** Values of all processes together up to which everything is sent to everybody: one exchange instead of two. */
const SENT_WHOLE = 2 ** 13;
/** Time for which a process polls its transfers without sleeping: MPI proceeds in these calls only. */
const ALERT_MS = 0.5;
/** MPI guarantees tags up to this. */
const TAGS = 32_768;

/** Memory of a round: what is sent, what is received from each process, and sums. */
interface Lane {
  readonly requests: MpiRequests;
  readonly collected: Float32Array;
  readonly sums: Float32Array;
  /** For the exchange in bfloat16 only, which is packed. */
  readonly packed: Uint16Array;
  readonly unpacked: Float32Array;
}

/** A round in progress. `proceed` is called when its transfers are done; it is over when that returns false. */
interface Round {
  readonly requests: MpiRequests;
  proceed(): boolean;
}

/**
 * Communicator that sends messages, for processes on several hosts. Values are summed in the order of ranks: every process
 * collects one part of all processes, adds it, and sends the sums to all, so that Open MPI, MPICH and threads give the same
 * bits. Values are sent from where they are and received into their place.
 */
export class MessageCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  private readonly lanes: Lane[] = [];
  private rounds = 0;

  constructor(
    private readonly library: MpiLibrary,
    private readonly watch?: GroupWatch,
    private readonly valuesPerRound = VALUES_PER_ROUND,
  ) {
    this.rank = library.rank;
    this.size = library.size;
  }

  get packedLength(): number {
    return this.valuesPerRound;
  }

  allReduce(values: Float32Array, precision?: Precision): Promise<void> {
    return this.allReduceAll([values], precision);
  }

  async allReduceAll(arrays: readonly Float32Array[], precision: Precision = 'float32'): Promise<void> {
    const { size, library } = this;
    const parts = this.partsOf(arrays);
    const active: Round[] = [];
    const begin = (lane: Lane, part: Float32Array): Round => {
      const tag = (2 * this.rounds++) % TAGS;
      if (precision === 'bfloat16') return this.beginPacked(lane, part, tag);
      return part.length * size <= SENT_WHOLE ? this.beginWhole(lane, part, tag) : this.beginParts(lane, part, tag);
    };
    for (let index = 0; index < ROUNDS_AT_ONCE; index++) {
      const next = parts.next();
      if (next.done === true) break;
      active.push(begin((this.lanes[index] ??= this.makeLane()), next.value));
    }
    while (active.length > 0) {
      const isReady = ({ requests }: Round): boolean => library.isDone(requests);
      let ready = active.findIndex(isReady);
      if (ready < 0) await waitUntil(() => (ready = active.findIndex(isReady)) >= 0, this.watch, ALERT_MS);
      const round = active[ready]!;
      if (round.proceed()) continue;
      const lane = this.lanes.find(({ requests }) => requests === round.requests)!;
      const next = parts.next();
      if (next.done === true) active.splice(ready, 1);
      else active.splice(ready, 1, begin(lane, next.value));
    }
  }

  /** Parts of arrays that are each summed in one round. */
  private *partsOf(arrays: readonly Float32Array[]): Generator<Float32Array, void> {
    for (const array of arrays)
      for (let start = 0; start < array.length; start += this.valuesPerRound)
        yield array.subarray(start, start + this.valuesPerRound);
  }

  broadcast(values: Float32Array, root: number): Promise<void> {
    return broadcastBySum(this, values, root);
  }

  async barrier(): Promise<void> {
    await this.allReduce(new Float32Array(1));
  }

  private makeLane(): Lane {
    const { library, size, valuesPerRound } = this;
    const perPart = Math.ceil(valuesPerRound / size);
    const floats = (length: number): Float32Array => new Float32Array(new ArrayBuffer(length * 4));
    // Pages that are never written take no memory.
    return {
      requests: library.requests(2 * (size - 1)),
      collected: floats(Math.max(perPart * size, SENT_WHOLE)),
      sums: floats(Math.max(perPart, SENT_WHOLE)),
      packed: new Uint16Array(new ArrayBuffer(2 * valuesPerRound)),
      unpacked: floats(perPart),
    };
  }

  /** Sends all values to every process; each adds them. */
  private beginWhole(lane: Lane, values: Float32Array, tag: number): Round {
    const from = (other: number): Float32Array => slice(lane.collected, other, values.length);
    this.exchange(lane.requests, tag, () => values, from);
    return {
      requests: lane.requests,
      proceed: () => {
        values.set(this.addInOrder(lane, (other) => (other === this.rank ? values : from(other)), values.length));
        return false;
      },
    };
  }

  /** Sends every process its part of the values, then the sums of the own part to all. */
  private beginParts(lane: Lane, values: Float32Array, tag: number): Round {
    const add = (own: Float32Array, of: (other: number) => Float32Array): void =>
      own.set(this.addInOrder(lane, of, own.length));
    return this.beginShared(lane, values, lane.collected, tag, add, () => undefined);
  }

  /** Sums as `beginParts` does, with values and sums rounded to bfloat16. */
  private beginPacked(lane: Lane, values: Float32Array, tag: number): Round {
    const packed = lane.packed.subarray(0, values.length);
    packBfloat16(values, packed);
    const add = (own: Uint16Array, of: (other: number) => Uint16Array): void => {
      const unpacked = lane.unpacked.subarray(0, own.length);
      const floatsOf = (other: number): Float32Array => {
        unpackBfloat16(of(other), unpacked);
        return unpacked;
      };
      packBfloat16(this.addInOrder(lane, floatsOf, own.length), own);
    };
    const collected = new Uint16Array(lane.collected.buffer);
    return this.beginShared(lane, packed, collected, tag, add, () => unpackBfloat16(packed, values));
  }

  /**
   * Sends every process its part of an array, then the sums of the own part to all.
   *
   * @param collected memory for the own part of every other process
   * @param add replaces the own part by the sums of the parts of all
   * @param finish is called when the array has the sums of all parts
   */
  private beginShared<A extends Float32Array | Uint16Array>(
    { requests }: Lane,
    array: A,
    collected: A,
    tag: number,
    add: (own: A, of: (other: number) => A) => void,
    finish: () => void,
  ): Round {
    const { rank, size } = this;
    const bound = (part: number): number => partBound(part, array.length, size);
    const partOf = (other: number): A => array.subarray(bound(other), bound(other + 1)) as A;
    const own = partOf(rank);
    const from = (other: number): A => slice(collected, other, own.length);
    this.exchange(requests, tag, partOf, from);
    let isAdded = false;
    return {
      requests,
      proceed: () => {
        if (isAdded) {
          finish();
          return false;
        }
        isAdded = true;
        add(own, (other) => (other === rank ? own : from(other)));
        this.exchange(requests, tag + 1, () => own, partOf);
        return true;
      },
    };
  }

  /** Adds the values of all processes in the order of ranks. The sums are in the lane's memory. */
  private addInOrder({ sums: memory }: Lane, of: (other: number) => Float32Array, length: number): Float32Array {
    const sums = memory.subarray(0, length);
    sums.set(of(0));
    for (let other = 1; other < this.size; other++) this.library.addTo(sums, of(other));
    return sums;
  }

  /** Begins to send `outgoing(other)` to every other process and to receive `incoming(other)` from it. */
  private exchange(
    requests: MpiRequests,
    tag: number,
    outgoing: (other: number) => ArrayBufferView,
    incoming: (other: number) => ArrayBufferView,
  ): void {
    const { library, rank, size } = this;
    for (let step = 1; step < size; step++) {
      const [to, from] = [(rank + step) % size, (rank - step + size) % size];
      library.receive(incoming(from), from, tag, requests, 2 * (step - 1));
      library.send(outgoing(to), to, tag, requests, 2 * (step - 1) + 1);
    }
  }
}

const slice = <A extends Float32Array | Uint16Array>(array: A, index: number, length: number): A =>
  array.subarray(index * length, (index + 1) * length) as A;
