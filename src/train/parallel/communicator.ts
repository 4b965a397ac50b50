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

/** Values that travel at once: fewer meetings than a sum for every parameter, and little memory besides. */
const valuesPerRound = 2 ** 22;

/** Sums several arrays over all processes, in place, as few times as they fit. */
export const allReduceTogether = async (communicator: Communicator, arrays: readonly Float32Array[]): Promise<void> => {
  if (communicator.size === 1) return;
  const whole = arrays.reduce((sum, { length }) => sum + length, 0);
  const packed = new Float32Array(Math.min(whole, valuesPerRound));
  const pieces: { readonly piece: Float32Array; readonly at: number }[] = [];
  let filled = 0;
  const send = async (): Promise<void> => {
    await communicator.allReduce(packed.subarray(0, filled));
    for (const { piece, at } of pieces.splice(0)) piece.set(packed.subarray(at, at + piece.length));
    filled = 0;
  };
  for (const array of arrays)
    for (let start = 0; start < array.length;) {
      const piece = array.subarray(start, start + packed.length - filled);
      packed.set(piece, filled);
      pieces.push({ piece, at: filled });
      filled += piece.length;
      start += piece.length;
      if (filled === packed.length) await send();
    }
  if (filled > 0) await send();
};

/** The texts of all processes that have one; an empty text is none. */
export const gatherTexts = async (communicator: Communicator, text: string): Promise<readonly string[]> => {
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
    .map((start, index) => textOf(codes.subarray(start, start + lengths[index]!)))
    .filter((gathered) => gathered !== '');
};

const textOf = (codes: Float32Array): string => Array.from(codes, (code) => String.fromCharCode(code)).join('');

/** One process and nobody else. */
export const singleProcess: Communicator = {
  rank: 0,
  size: 1,
  allReduce: () => Promise.resolve(),
  broadcast: () => Promise.resolve(),
  barrier: () => Promise.resolve(),
};
