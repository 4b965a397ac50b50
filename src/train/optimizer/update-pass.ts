import { inDenseBlocks } from './row-gradient.ts';
import { inBlocks, type Pass } from './update-blocks.ts';

/** Update of one parameter in one step: arrays of equal length, updated in place, the gradient, and the step's scalars. */
export interface Update {
  readonly kind: 'adamw' | 'sgd' | 'muon';
  readonly values: Float32Array;
  /** Gradient of all values; with `rows`, of these rows of a table only. The direction of Muon, once it is known. */
  readonly gradient: Float32Array;
  /** Indices of the rows with a gradient, ascending; it is 0 in all others. Undefined if all have one. */
  readonly rows?: Int32Array | undefined;
  /** Running mean of the gradient; the momentum buffer of SGD. */
  readonly first: Float32Array;
  /** Running mean of the squared gradient; empty for SGD and Muon. */
  readonly second: Float32Array;
  /** Moving average of the values, if there is one. */
  readonly average: Float32Array | undefined;
  /** Number of steps in which the parameter had a gradient, including this one. */
  readonly step: number;
  /** Learning rate. */
  readonly rate: number;
  /** Weight decay. */
  readonly decay: number;
  /** Factor of the gradient. */
  readonly clip: number;
  /** Decay of the moving average. */
  readonly averageDecay: number;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;
const MOMENTUM = 0.9;

/**
 * Applies an update to elements `start` to `end`, including the average. Elements are independent, so that any division
 * into chunks gives the same results.
 */
export const applyUpdate = (update: Update, start: number, end: number): void => {
  const { values, gradient, rows, first, second, average, averageDecay } = update;
  const arrays = { adamw: [values, first, second], sgd: [values, first], muon: [values] }[update.kind];
  const updatePass = PASSES[update.kind](update);
  const last = arrays.length + 1;
  const averagingPass: Pass = (kernels, addresses, bytes) => {
    updatePass(kernels, addresses, bytes);
    kernels.average(addresses[last]!, addresses[1]!, bytes, 1 - averageDecay);
  };
  const pass = average === undefined ? updatePass : averagingPass;
  if (average !== undefined) arrays.push(average);
  if (rows === undefined) inBlocks([gradient, ...arrays], 1, start, end, pass);
  else
    inDenseBlocks({ indices: rows, values: gradient }, start, end, (block, from, to) =>
      inBlocks([block, ...arrays.map((array) => array.subarray(from, to))], 1, 0, to - from, pass),
    );
};

/** Updates a moving average: average ← average · decay + value · (1 − decay). */
export const averagePass = (average: Float32Array, values: Float32Array, decay: number): void =>
  inBlocks([values, average], 1, 0, average.length, (kernels, [value, target], bytes) => {
    kernels.average(target!, value!, bytes, 1 - decay);
  });

/** Adds elements `start` to `end` of `values` to `sums`. */
export const addTo = (sums: Float32Array, values: Float32Array, start: number, end: number): void =>
  inBlocks([values, sums], 1, start, end, (kernels, [value, sum], bytes) => {
    kernels.add(sum!, value!, bytes);
  });

/** Sum of squares of elements `start` to `end`, in double precision. */
export const sumOfSquares = (values: Float32Array, start: number, end: number): number => {
  let total = 0;
  inBlocks([values], 1, start, end, (kernels, [address], bytes) => (total += kernels.sumOfSquares(address!, bytes)));
  return total;
};

/** Sum of squares of each chunk (`chunksOf`) of arrays. */
export const sumsOfSquares = (arrays: readonly Float32Array[]): readonly number[] =>
  chunksOf(arrays.map(({ length }) => length)).map(({ array, start, end }) => sumOfSquares(arrays[array]!, start, end));

const adamwPass = ({ step, rate, decay, clip }: Update): Pass => {
  // PyTorch multiplies by a float32 factor, which is exactly 1 at the official rates.
  const shrink = 1 - rate * decay;
  const stepSize = rate / (1 - BETA1 ** step);
  const correction = 1 / Math.sqrt(1 - BETA2 ** step);
  const [rest1, rest2] = [1 - BETA1, 1 - BETA2];
  return (kernels, [gradient, values, first, second], bytes) =>
    // prettier-ignore
    kernels.adamw(
      values!, gradient!, first!, second!, bytes,
      clip, BETA1, rest1, BETA2, rest2, shrink, stepSize, correction, EPSILON,
    );
};

const sgdPass = ({ step, rate, decay, clip }: Update): Pass => {
  // The first step initializes the buffer with the gradient.
  const keep = step === 1 ? 0 : MOMENTUM;
  return (kernels, [gradient, values, first], bytes) =>
    kernels.sgd(values!, gradient!, first!, bytes, clip, decay, keep, rate);
};

const muonPass = ({ rate, decay }: Update): Pass => {
  const shrink = 1 - rate * decay;
  return (kernels, [direction, values], bytes) => kernels.move(values!, direction!, bytes, shrink, rate);
};

const PASSES: Readonly<Record<Update['kind'], (update: Update) => Pass>> = {
  adamw: adamwPass,
  sgd: sgdPass,
  muon: muonPass,
};

/** Number of elements that a thread takes at a time; also the length of one sum of squares. */
export const CHUNK_LENGTH = 2 ** 18;

/** A range of one of several arrays. */
export interface Chunk {
  /** Index of the array. */
  readonly array: number;
  readonly start: number;
  readonly end: number;
}

/** Divides arrays into chunks, in order. */
export const chunksOf = (lengths: readonly number[]): readonly Chunk[] =>
  lengths.flatMap((length, array) =>
    Array.from({ length: Math.ceil(length / CHUNK_LENGTH) }, (_, k) => ({
      array,
      start: k * CHUNK_LENGTH,
      end: Math.min(length, (k + 1) * CHUNK_LENGTH),
    })),
  );
