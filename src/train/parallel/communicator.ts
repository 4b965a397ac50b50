/**
 * Connection to the other processes of data-parallel training. Every process calls the same methods in the same order.
 */
export interface Communicator {
  /** Index of this process. Process 0 writes files. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Replaces `values` by their sums over all processes, in every process. */
  allReduce(values: Float32Array): Promise<void>;
  /** Overwrites `values` with those of process `root`. */
  broadcast(values: Float32Array, root: number): Promise<void>;
  /** Waits until all processes have called it. */
  barrier(): Promise<void>;
}

/** Adds values to sums, in place. */
export const addTo = (sums: Float32Array, values: Float32Array): void => {
  for (let index = 0; index < sums.length; index++) sums[index]! += values[index]!;
};

/** Broadcast by an all-reduce, to which all processes but `root` contribute zeros. */
export const broadcastBySum = (communicator: Communicator, values: Float32Array, root: number): Promise<void> => {
  if (communicator.rank !== root) values.fill(0);
  return communicator.allReduce(values);
};

/** Values of one all-reduce round: fewer rounds than one per parameter, with little extra memory. */
const VALUES_PER_ROUND = 2 ** 22;

/** Sums several arrays over all processes, in place, in as few all-reduce rounds as possible. */
export const allReduceTogether = async (communicator: Communicator, arrays: readonly Float32Array[]): Promise<void> => {
  if (communicator.size === 1) return;
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  const packed = new Float32Array(Math.min(length, VALUES_PER_ROUND));
  const chunks: { readonly chunk: Float32Array; readonly start: number }[] = [];
  let filled = 0;
  const send = async (): Promise<void> => {
    await communicator.allReduce(packed.subarray(0, filled));
    for (const { chunk, start } of chunks.splice(0)) chunk.set(packed.subarray(start, start + chunk.length));
    filled = 0;
  };
  for (const array of arrays)
    for (let start = 0; start < array.length;) {
      const chunk = array.subarray(start, start + packed.length - filled);
      packed.set(chunk, filled);
      chunks.push({ chunk, start: filled });
      filled += chunk.length;
      start += chunk.length;
      if (filled === packed.length) await send();
    }
  if (filled > 0) await send();
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
  allReduce: () => Promise.resolve(),
  broadcast: () => Promise.resolve(),
  barrier: () => Promise.resolve(),
};
