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
 * One pass over elements `start` to `end`, and one over the average. Elements do not depend on each other, so that any
 * cut into pieces gives the same numbers.
 */
export const applyUpdate = (update: Update, start: number, end: number): void => {
  if (update.kind === 'sgd') sgdPass(update, start, end);
  else adamwPass(update, start, end);
  if (update.average !== undefined) averagePass(update.average, update.values, update.averageDecay, start, end);
};

/** AdamW (arXiv:1711.05101). */
const adamwPass = (update: Update, start: number, end: number): void => {
  const { values, gradient, first, second, step, rate, decay, clip } = update;
  // PyTorch multiplies by a float32 factor: at the official rates it is exactly 1.
  const shrink = Math.fround(1 - rate * decay);
  const stepSize = rate / (1 - beta1 ** step);
  // A product instead of a quotient: the loop is bound by divisions.
  const correction = 1 / Math.sqrt(1 - beta2 ** step);
  for (let index = start; index < end; index++) {
    const slope = gradient[index]! * clip;
    const mean = beta1 * first[index]! + (1 - beta1) * slope;
    const square = beta2 * second[index]! + (1 - beta2) * slope * slope;
    first[index] = mean;
    second[index] = square;
    values[index] = values[index]! * shrink - (stepSize * mean) / (Math.sqrt(square) * correction + epsilon);
  }
};

const sgdPass = (update: Update, start: number, end: number): void => {
  const { values, gradient, first, step, rate, decay, clip } = update;
  for (let index = start; index < end; index++) {
    const slope = gradient[index]! * clip + decay * values[index]!;
    // The first step fills the buffer with the gradient itself.
    const velocity = step === 1 ? slope : momentum * first[index]! + slope;
    first[index] = velocity;
    values[index] = values[index]! - rate * velocity;
  }
};

/** average ← average · decay + value · (1 − decay) */
export const averagePass = (
  average: Float32Array,
  values: Float32Array,
  decay: number,
  start = 0,
  end = average.length,
): void => {
  for (let index = start; index < end; index++) average[index] = average[index]! * decay + values[index]! * (1 - decay);
};

/** Sum of squares of elements `start` to `end`, in double precision; four sums at a time, which do not wait for each other. */
export const sumOfSquares = (values: Float32Array, start: number, end: number): number => {
  let [a, b, c, d] = [0, 0, 0, 0];
  let index = start;
  for (; index + 4 <= end; index += 4) {
    a += values[index]! * values[index]!;
    b += values[index + 1]! * values[index + 1]!;
    c += values[index + 2]! * values[index + 2]!;
    d += values[index + 3]! * values[index + 3]!;
  }
  for (; index < end; index++) a += values[index]! * values[index]!;
  return a + b + (c + d);
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
