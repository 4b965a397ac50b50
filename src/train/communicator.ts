/**
 * The other processes of a data-parallel training: all that the loop knows of them. Every process calls the same methods
 * in the same order.
 */
export interface Communicator {
  /** Number of this process, from 0; 0 writes files. */
  readonly rank: number;
  readonly size: number;
  /** Sums over all processes, in place; all have the result. */
  allReduce(values: Float32Array): Promise<void>;
  /** Overwrites with what process `root` has. */
  broadcast(values: Float32Array, root: number): Promise<void>;
  /** Waits until all have come here. */
  barrier(): Promise<void>;
}

/** One process and nobody else. */
export const singleProcess: Communicator = {
  rank: 0,
  size: 1,
  allReduce: () => Promise.resolve(),
  broadcast: () => Promise.resolve(),
  barrier: () => Promise.resolve(),
};
