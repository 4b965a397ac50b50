import type { Precision } from './bfloat16.ts';
import { broadcastBySum, type Communicator } from './communicator.ts';

/** Communicator of replicas inside several processes: the threads of a process sum first, then the first threads of all. */
export class ComposedCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;

  /**
   * @param threads the replicas of this process
   * @param place rank of this process, and number of processes
   * @param processes connection to the other processes, for the first replica
   */
  constructor(
    private readonly threads: Communicator,
    place: { readonly rank: number; readonly size: number },
    private readonly processes: Communicator | undefined,
  ) {
    this.rank = place.rank * threads.size + threads.rank;
    this.size = place.size * threads.size;
  }

  /** Equal in all replicas, of which only the first knows `processes`. */
  get packedLength(): number {
    return this.threads.packedLength;
  }

  allReduce(values: Float32Array, precision: Precision = 'float32'): Promise<void> {
    return this.allReduceAll([values], precision);
  }

  /** Sums between the threads of a process are always exchanged as they are. */
  async allReduceAll(arrays: readonly Float32Array[], precision: Precision = 'float32'): Promise<void> {
    await this.threads.allReduceAll(arrays);
    await this.processes?.allReduceAll(arrays, precision);
    for (const values of arrays) await this.threads.broadcast(values, 0);
  }

  broadcast(values: Float32Array, root: number): Promise<void> {
    return broadcastBySum(this, values, root);
  }

  async barrier(): Promise<void> {
    await this.allReduce(new Float32Array(1));
  }
}
