import { concatValues } from '../../engine/graph/concat-values.ts';
import type { Precision } from './bfloat16.ts';

/**
 * Connection to the other processes of data-parallel training. Every process calls the same methods in the same order.
 */
export interface Communicator {
  /** Index of this process. Process 0 writes files. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /**
   * Replaces `values` by their sums over all processes, in every process.
   *
   * @param precision with `bfloat16`, the values of each process are rounded before they are added (in float32), and so are
   *   the sums; what is sent takes half the bytes. Default `float32`.
   */
  allReduce(values: Float32Array, precision?: Precision): Promise<void>;
  /** Sums several arrays as `allReduce` sums one. Those that are sent to other hosts travel at the same time. */
  allReduceAll(arrays: readonly Float32Array[], precision?: Precision): Promise<void>;
  /** Number of values that a round sums; `allReduceTogether` copies small arrays together to this length. Equal in all processes. */
  readonly packedLength: number;
  /** Overwrites `values` with those of process `root`. */
  broadcast(values: Float32Array, root: number): Promise<void>;
  /** Waits until all processes have called it. */
  barrier(): Promise<void>;
}

/** Index at which the part of a process begins, of `length` values that all processes share out; `rank` may be their number. */
export const partBound = (rank: number, length: number, size: number): number => Math.floor((rank * length) / size);

/** Adds values to sums, in place. */
export const addTo = (sums: Float32Array, values: Float32Array): void => {
  for (let index = 0; index < sums.length; index++) sums[index]! += values[index]!;
};

/** Broadcast by an all-reduce, to which all processes but `root` contribute zeros. */
export const broadcastBySum = (communicator: Communicator, values: Float32Array, root: number): Promise<void> => {
  if (communicator.rank !== root) values.fill(0);
  return communicator.allReduce(values);
};

/** Sums arrays one after the other: `allReduceAll` of a communicator that sends nothing. */
export const allReduceEach = async (
  communicator: Communicator,
  arrays: readonly Float32Array[],
  precision?: Precision,
): Promise<void> => {
  for (const array of arrays) await communicator.allReduce(array, precision);
};

/** Arrays of at least this fraction of a round are summed where they are; shorter ones are copied together. */
const SEPARATE_FRACTION = 1 / 4;

/** Sums several arrays over all processes, in place, in few all-reduce rounds, which have a fixed cost. */
export const allReduceTogether = async (
  communicator: Communicator,
  arrays: readonly Float32Array[],
  precision: Precision = 'float32',
): Promise<void> => {
  const { size, packedLength } = communicator;
  if (size === 1) return;
  const isSeparate = ({ length }: Float32Array): boolean => length >= packedLength * SEPARATE_FRACTION;
  const packs: Float32Array[][] = [];
  let free = 0;
  for (const array of arrays) {
    if (isSeparate(array)) continue;
    if (array.length > free) {
      packs.push([]);
      free = packedLength;
    }
    packs.at(-1)?.push(array);
    free -= array.length;
  }
  const packed = packs.map((pack) => concatValues(Float32Array, pack));
  await communicator.allReduceAll([...arrays.filter(isSeparate), ...packed], precision);
  for (const [index, pack] of packs.entries()) {
    let at = 0;
    for (const array of pack) array.set(packed[index]!.subarray(at, (at += array.length)));
  }
};

/** Bytes in a value of a sum: float32 holds integers below 2^24 exactly. */
const BYTES_PER_VALUE = 3;
/** Lengths are sent as two values, so that they may exceed 2^24. */
const LENGTH_BASE = 2 ** 20;

/** Gathers bytes of every process, by rank, in every process. */
export const gatherBytes = async (communicator: Communicator, bytes: Uint8Array): Promise<readonly Uint8Array[]> => {
  const { rank, size } = communicator;
  const lengths = new Float32Array(2 * size);
  lengths[2 * rank] = Math.floor(bytes.length / LENGTH_BASE);
  lengths[2 * rank + 1] = bytes.length % LENGTH_BASE;
  await communicator.allReduce(lengths);
  const lengthOf = (other: number): number => lengths[2 * other]! * LENGTH_BASE + lengths[2 * other + 1]!;
  const starts = [0];
  for (let other = 0; other < size; other++) starts.push(starts[other]! + Math.ceil(lengthOf(other) / BYTES_PER_VALUE));
  // All but the own part is zero, so that the sums are the values.
  const values = new Float32Array(starts[size]!);
  for (let index = 0; index * BYTES_PER_VALUE < bytes.length; index++) {
    const at = index * BYTES_PER_VALUE;
    values[starts[rank]! + index] = bytes[at]! + 2 ** 8 * (bytes[at + 1] ?? 0) + 2 ** 16 * (bytes[at + 2] ?? 0);
  }
  if (values.length > 0) await communicator.allReduce(values);
  return Array.from({ length: size }, (_, other) => {
    const gathered = new Uint8Array(lengthOf(other));
    for (let at = 0; at < gathered.length; at++)
      gathered[at] = values[starts[other]! + Math.floor(at / BYTES_PER_VALUE)]! / 2 ** (8 * (at % BYTES_PER_VALUE));
    return gathered;
  });
};

/** Gathers a string of every process; empty strings are left out. */
export const gatherStrings = async (communicator: Communicator, text: string): Promise<readonly string[]> => {
  const gathered = await gatherBytes(communicator, new TextEncoder().encode(text));
  return gathered.filter(({ length }) => length > 0).map((bytes) => new TextDecoder().decode(bytes));
};

/** The communicator of a single process. */
export const singleProcess: Communicator = {
  rank: 0,
  size: 1,
  packedLength: 1,
  allReduce: () => Promise.resolve(),
  allReduceAll: () => Promise.resolve(),
  broadcast: () => Promise.resolve(),
  barrier: () => Promise.resolve(),
};
