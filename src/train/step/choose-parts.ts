import { cpus } from 'node:os';
import { mean as meanOf } from '../../metrics/metrics.ts';
import type { Communicator } from '../parallel/communicator.ts';

/** Runs of each number of parts that are compared, in pairs with a run of the whole batch. */
const ROUNDS = 6;
/** A division is chosen only if it takes less than this fraction of the time of a whole batch. */
const MAX_RATIO = 0.97;
/** Fraction of the processor that other programs may use during the measurement. */
const MAX_OTHERS = 0.1;

/** How a batch is divided, and why. */
export interface PartsChoice {
  /** Number of parts; 1 for a whole batch. */
  readonly parts: number;
  /** Time of a batch in so many parts, as a fraction of that of a whole one. */
  readonly ratio: number;
  /** Other programs used the processor, so that nothing was chosen. */
  readonly isBusy: boolean;
}

/** Comparison of a division with the whole batch: mean and variance of the mean of the logarithm of the ratio of times. */
interface Comparison {
  readonly parts: number;
  readonly mean: number;
  readonly variance: number;
}

/** Numbers of parts that may be compared. */
const CANDIDATES = [2, 4, 8, 16];

/**
 * Numbers of parts that are worth a measurement in all processes, each of which has so many threads and images in its batch.
 *
 * @param threads of this process; 0 if it does not divide batches
 */
export const candidateParts = async (
  threads: number,
  images: number,
  communicator: Communicator,
): Promise<readonly number[]> => {
  const flags = Float32Array.from(CANDIDATES, (parts) => Number(parts <= Math.min(threads, images)));
  await communicator.allReduce(flags);
  return CANDIDATES.filter((_, index) => flags[index] === communicator.size);
};

/**
 * Chooses the number of parts in which a batch is computed fastest, in alternating runs. A division has to win by more than the
 * noise of the runs, and nothing is chosen while other programs use the processor. All processes choose the same.
 *
 * @param candidates numbers of parts, equal in all processes
 * @param measure computes a batch in so many parts, and returns the milliseconds
 * @param others fraction of the processor that other programs have used since its last call
 */
export const chooseParts = async (
  candidates: readonly number[],
  measure: (parts: number) => Promise<number>,
  communicator: Communicator,
  others: () => number = otherProgramsUse(),
): Promise<PartsChoice> => {
  // The first runs allocate memory and compile.
  for (const parts of [1, ...candidates]) await measure(parts);
  others();
  const ratios = candidates.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, parts] of candidates.entries()) {
      // Whichever runs second may profit, or suffer, from the one before.
      const before = round % 2 === 0 ? await measure(1) : undefined;
      const divided = await measure(parts);
      ratios[index]!.push(Math.log(divided / (before ?? (await measure(1)))));
    }
  const statistics = Float32Array.from([
    others(),
    ...ratios.flatMap((values) => {
      const mean = meanOf(values);
      return [mean, meanOf(values.map((value) => (value - mean) ** 2)) / (values.length - 1)];
    }),
  ]);
  await communicator.allReduce(statistics);
  const { size } = communicator;
  const comparisons = candidates.map((parts, index): Comparison => ({
    parts,
    mean: statistics[1 + 2 * index]! / size,
    variance: statistics[2 + 2 * index]! / size ** 2,
  }));
  const isBusy = statistics[0]! / size > MAX_OTHERS;
  const best = comparisons
    .filter(({ mean, variance }) => mean + 2 * Math.sqrt(variance) < 0 && mean < Math.log(MAX_RATIO))
    .sort((a, b) => a.mean - b.mean)[0];
  return best === undefined || isBusy
    ? { parts: 1, ratio: 1, isBusy }
    : { parts: best.parts, ratio: Math.exp(best.mean), isBusy };
};

/** Text for a choice; undefined if there is nothing to say. */
export const choiceText = (choice: PartsChoice | undefined): string | undefined => {
  if (choice === undefined) return undefined;
  const { parts, ratio, isBusy } = choice;
  if (isBusy)
    return (
      'other programs use the processor, so it was not measured whether batches are faster in parts ' +
      '(--set batch_parts=2 divides them)'
    );
  return parts === 1
    ? undefined
    : `batches are computed in ${parts} parts side by side, in ${ratio.toFixed(2)} of the time (batch_parts)`;
};

/** Returns a function that returns the fraction of the processor that other programs have used since its last call. */
const otherProgramsUse = (): (() => number) => {
  let last = processorUse();
  return () => {
    const now = processorUse();
    const [all, own, total] = [now.busy - last.busy, now.own - last.own, now.total - last.total];
    last = now;
    return total === 0 ? 0 : Math.max(0, all - own) / total;
  };
};

/** Milliseconds of all cores: busy, busy with this process, and altogether. */
const processorUse = (): { readonly busy: number; readonly own: number; readonly total: number } => {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    const { user, nice, sys, irq, idle } = times;
    busy += user + nice + sys + irq;
    total += user + nice + sys + irq + idle;
  }
  const { user, system } = process.cpuUsage();
  return { busy, own: (user + system) / 1000, total };
};
