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

/** Gathers a string of every process; empty strings are left out. */
export const gatherStrings = async (communicator: Communicator, text: string): Promise<readonly string[]> => {
  const { rank, size } = communicator;
  const lengths = new Float32Array(size);
  lengths[rank] = text.length;
  await communicator.allReduce(lengths);
  const codes = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
  if (codes.length === 0) return [];
  const starts = Array.from(lengths, (_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0));
  codes.set(
    Array.from({ length: text.length }, (_, index) => text.charCodeAt(index)),
    starts[rank],
  );
  await communicator.allReduce(codes);
  return starts
    .map((start, index) => stringOf(codes.subarray(start, start + lengths[index]!)))
    .filter((gathered) => gathered !== '');
};

const stringOf = (codes: Float32Array): string => Array.from(codes, (code) => String.fromCharCode(code)).join('');

/** The communicator of a single process. */
export const singleProcess: Communicator = {
  rank: 0,
  size: 1,
  allReduce: () => Promise.resolve(),
  broadcast: () => Promise.resolve(),
  barrier: () => Promise.resolve(),
};
