import { createHash } from 'node:crypto';
import { allReduceTogether, type Communicator } from '../../src/train/parallel/communicator.ts';

/** Lengths around those at which a communicator changes its way: parts, rounds, several rounds in progress. */
const LENGTHS = [1, 2, 5, 250, 2048, 2049, 8192, 32_768, 70_001, 1_048_577, 3_500_003];

/** Lengths of arrays that are summed together: some are copied together, some are summed where they are. */
const TOGETHER = [70_001, 3, 400_000, 9, 300_000, 40_000];

/** Sums values that depend on the rank, of several lengths and in both precisions; a line with a digest of each sum. */
export const sumsOf = async (communicator: Communicator): Promise<string[]> => {
  const lines: string[] = [];
  const fill = (values: Float32Array): void => {
    for (let index = 0; index < values.length; index++)
      values[index] = Math.sin(index * 7.7 + communicator.rank * 1.3) * 10 ** (((index + communicator.rank) % 9) - 4);
  };
  for (const precision of ['float32', 'bfloat16'] as const)
    for (const length of LENGTHS) {
      const memory = new Float32Array(new SharedArrayBuffer(4 * (length + 3)));
      // Not aligned to more than an element, and with neighbors that must stay.
      const values = memory.subarray(1, length + 1);
      fill(values);
      await communicator.allReduce(values, precision);
      const isIntact = memory[0] === 0 && memory[length + 1] === 0;
      lines.push(`${precision} ${length} ${isIntact ? digestOf([memory]) : 'neighbors were overwritten'}`);
    }
  const arrays = TOGETHER.map((length) => new Float32Array(length));
  arrays.forEach(fill);
  await allReduceTogether(communicator, arrays);
  lines.push(`together ${digestOf(arrays)}`);
  return lines;
};

const digestOf = (arrays: readonly Float32Array[]): string => {
  const hash = createHash('sha256');
  for (const { buffer } of arrays) hash.update(new Uint8Array(buffer));
  return hash.digest('hex').slice(0, 16);
};
