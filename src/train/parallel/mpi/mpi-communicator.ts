import { setImmediate, setTimeout } from 'node:timers/promises';
import { addTo, broadcastBySum, type Communicator } from '../communicator.ts';
import type { MpiLibrary, MpiRequests } from './mpi-library.ts';

/** Values of one round. Longer arrays take several, so that little memory is needed beside them. */
const VALUES_PER_ROUND = 2 ** 22;
/** Time for which a transfer is polled before the event loop gets a turn. */
const SPIN_MS = 2;
/** Time after which the process sleeps between polls: the other side is still computing. */
const BUSY_MS = 20;

/** The group's monitor, which `MpiCommunicator` asks while it waits. */
export interface GroupWatch {
  /** @throws {GroupEnded} if a process of the group has failed */
  check(): void;
}

/**
 * Communicator over MPI. Values are summed in the order of ranks: every process collects one chunk of all processes, adds it,
 * and sends the sums to all, so that Open MPI, MPICH and threads give the same bits.
 */
export class MpiCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  /** Own values, chunks of all processes, and sums: in memory of their own, which MPI may use until a transfer ends. */
  private readonly values: Float32Array;
  private readonly collected: Float32Array;
  private readonly requests: MpiRequests;
  private round = 0;

  constructor(
    private readonly library: MpiLibrary,
    private readonly watch?: GroupWatch,
    valuesPerRound = VALUES_PER_ROUND,
  ) {
    this.rank = library.rank;
    this.size = library.size;
    this.values = new Float32Array(new ArrayBuffer(valuesPerRound * 4));
    this.collected = new Float32Array(new ArrayBuffer(Math.ceil(valuesPerRound / this.size) * this.size * 4));
    this.requests = library.requests(2 * (this.size - 1));
  }

  async allReduce(values: Float32Array): Promise<void> {
    for (let start = 0; start < values.length; start += this.values.length) {
      const part = values.subarray(start, start + this.values.length);
      this.values.set(part);
      await this.sumRound(part.length);
      part.set(this.values.subarray(0, part.length));
    }
  }

  broadcast(values: Float32Array, root: number): Promise<void> {
    return broadcastBySum(this, values, root);
  }

  async barrier(): Promise<void> {
    await this.allReduce(new Float32Array(1));
  }

  /** Sums the first `length` values of all processes, in place. */
  private async sumRound(length: number): Promise<void> {
    const { rank, size, values, collected } = this;
    const bound = (part: number): number => Math.floor((part * length) / size);
    const chunkOf = (part: number): Float32Array => values.subarray(bound(part), bound(part + 1));
    const own = chunkOf(rank);
    const from = (other: number): Float32Array => collected.subarray(other * own.length, (other + 1) * own.length);
    from(rank).set(own);
    await this.exchange(chunkOf, from);
    own.set(from(0));
    for (let other = 1; other < size; other++) addTo(own, from(other));
    await this.exchange(() => own, chunkOf);
  }

  /** Sends `outgoing(other)` to every other process and receives `incoming(other)` from it. */
  private async exchange(
    outgoing: (other: number) => Float32Array,
    incoming: (other: number) => Float32Array,
  ): Promise<void> {
    const { library, rank, size, requests } = this;
    // MPI keeps the transfers of a pair in order; the tag of the round only guards against bugs of ours.
    const tag = this.round++ % 32_768;
    for (let step = 1; step < size; step++) {
      const [to, from] = [(rank + step) % size, (rank - step + size) % size];
      library.receive(incoming(from), from, tag, requests, 2 * (step - 1));
      library.send(outgoing(to), to, tag, requests, 2 * (step - 1) + 1);
    }
    await this.wait();
  }

  private async wait(): Promise<void> {
    const began = performance.now();
    for (let spun = began; !this.library.isDone(this.requests);) {
      const now = performance.now();
      if (now - spun < SPIN_MS) continue;
      this.watch?.check();
      // Signals and messages of other threads arrive meanwhile.
      if (now - began < BUSY_MS) await setImmediate();
      else await setTimeout(1);
      spun = performance.now();
    }
  }
}
