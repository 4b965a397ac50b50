import { inBlocks, type Pass } from './update-blocks.ts';

/** What one step does to one parameter: arrays of one length, changed in place, and the step's numbers. */
export interface Update {
  readonly kind: 'adamw' | 'sgd';
  readonly values: Float32Array;
  readonly gradient: Float32Array;
  /** Running mean of the gradient; SGD's momentum buffer. */
  readonly first: Float32Array;
  /** Running mean of its square; empty for SGD. */
  readonly second: Float32Array;
  /** Moving average of the values, if there is one. */
  readonly average: Float32Array | undefined;
  /** How many steps the parameter took part in, this one included. */
  readonly step: number;
  readonly rate: number;
  readonly decay: number;
  /** What the gradient is multiplied by. */
  readonly clip: number;
  /** Of the moving average. */
  readonly averageDecay: number;
}

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;
const momentum = 0.9;

/**
 * What a step does to elements `start` to `end`, average included. Elements do not depend on each other, so that any cut
 * into pieces gives the same numbers.
 */
export const applyUpdate = (update: Update, start: number, end: number): void => {
  const { values, gradient, first, second, average, averageDecay } = update;
  const arrays = update.kind === 'sgd' ? [gradient, values, first] : [gradient, values, first, second];
  const pass = update.kind === 'sgd' ? sgdPass(update) : adamwPass(update);
  if (average === undefined) {
    inBlocks(arrays, 1, start, end, pass);
    return;
  }
  const last = arrays.length;
  inBlocks([...arrays, average], 1, start, end, (kernels, places, bytes) => {
    pass(kernels, places, bytes);
    kernels.average(places[last]!, places[1]!, bytes, 1 - averageDecay);
  });
};

/** average ← average · decay + value · (1 − decay) */
export const averagePass = (average: Float32Array, values: Float32Array, decay: number): void =>
  inBlocks([values, average], 1, 0, average.length, (kernels, [value, place], bytes) => {
    kernels.average(place!, value!, bytes, 1 - decay);
  });

/** Adds elements `start` to `end` of values to sums. */
export const addTo = (sums: Float32Array, values: Float32Array, start: number, end: number): void =>
  inBlocks([values, sums], 1, start, end, (kernels, [value, sum], bytes) => {
    kernels.add(sum!, value!, bytes);
  });

/** Sum of squares of elements `start` to `end`, in double precision. */
export const sumOfSquares = (values: Float32Array, start: number, end: number): number => {
  let total = 0;
  inBlocks([values], 1, start, end, (kernels, [place], bytes) => (total += kernels.sumOfSquares(place!, bytes)));
  return total;
};

const adamwPass = ({ step, rate, decay, clip }: Update): Pass => {
  // PyTorch multiplies by a float32 factor: at the official rates it is exactly 1.
  const shrink = 1 - rate * decay;
  const stepSize = rate / (1 - beta1 ** step);
  const correction = 1 / Math.sqrt(1 - beta2 ** step);
  const [rest1, rest2] = [1 - beta1, 1 - beta2];
  return (kernels, [gradient, values, first, second], bytes) =>
    // prettier-ignore
    kernels.adamw(
      values!, gradient!, first!, second!, bytes,
      clip, beta1, rest1, beta2, rest2, shrink, stepSize, correction, epsilon,
    );
};

const sgdPass = ({ step, rate, decay, clip }: Update): Pass => {
  // The first step fills the buffer, which is zeros, with the gradient itself.
  const keep = step === 1 ? 0 : momentum;
  return (kernels, [gradient, values, first], bytes) =>
    kernels.sgd(values!, gradient!, first!, bytes, clip, decay, keep, rate);
};

/** Elements that a thread works on before it looks for more; also what one sum of squares is over. */
export const pieceLength = 2 ** 18;

/** A stretch of one of several arrays. */
export interface Piece {
  readonly array: number;
  readonly start: number;
  readonly end: number;
}

/** Cuts arrays into stretches, in order. */
export const piecesOf = (lengths: readonly number[]): readonly Piece[] =>
  lengths.flatMap((length, array) =>
    Array.from({ length: Math.ceil(length / pieceLength) }, (_, k) => ({
      array,
      start: k * pieceLength,
      end: Math.min(length, (k + 1) * pieceLength),
    })),
  );
