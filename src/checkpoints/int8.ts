/** Weights as 8-bit integers with one scale per channel: weight = value · scale. */
export interface Int8Weights {
  /** −127 to 127, in the order of the weights. */
  readonly values: Int8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
  /** Shape of the scales, which broadcasts against the weights: the channels' axis, 1 elsewhere. */
  readonly scaleShape: readonly number[];
}

const LARGEST = 127;
/** Weights per channel below which the scales would take a large part of what is saved. */
const MIN_CHANNEL_LENGTH = 16;
/** Smaller tensors save nothing worth an error. */
const MIN_ELEMENTS = 1024;

/**
 * Quantizes a matrix or a filter symmetrically, per row or (if that loses less) per column; filters per output channel.
 * Undefined for tensors that stay floats: vectors, small ones, and those with values that are not finite.
 */
export const quantizeInt8 = (weights: Float32Array, shape: readonly number[]): Int8Weights | undefined => {
  if (weights.length < MIN_ELEMENTS || (shape.length !== 2 && shape.length !== 4)) return undefined;
  const axes = shape.length === 2 ? [0, 1] : [0];
  const candidates = axes
    .filter((axis) => weights.length / shape[axis]! >= MIN_CHANNEL_LENGTH)
    .map((axis) => quantizeAlong(weights, shape, axis));
  const [best] = candidates.sort((a, b) => a.error - b.error);
  return best !== undefined && Number.isFinite(best.error) ? best : undefined;
};

/**
 * Quantizes filters (O, I, kh, kw) with a scale for each kernel: a third of the error of one scale per output channel, and
 * for 3 × 3 kernels 1.4 bytes a weight instead of 1. Undefined for what stays floats.
 */
export const quantizeKernels = (weights: Float32Array, shape: readonly number[]): Int8Weights | undefined => {
  if (weights.length < MIN_ELEMENTS || shape.length !== 4) return undefined;
  const [outputs, inputs, height, width] = shape as [number, number, number, number];
  const { values, scales, error } = quantizeAlong(weights, [outputs * inputs, height * width], 0);
  return Number.isFinite(error) ? { values, scales, scaleShape: [outputs, inputs, 1, 1] } : undefined;
};

const quantizeAlong = (
  weights: Float32Array,
  shape: readonly number[],
  axis: number,
): Int8Weights & { readonly error: number } => {
  const channels = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const scales = new Float32Array(channels);
  for (let i = 0; i < weights.length; i++) {
    const channel = Math.floor(i / inner) % channels;
    const magnitude = Math.abs(weights[i]!);
    if (!(magnitude <= scales[channel]!)) scales[channel] = magnitude;
  }
  for (let channel = 0; channel < channels; channel++) scales[channel]! /= LARGEST;
  const values = new Int8Array(weights.length);
  let error = 0;
  for (let i = 0; i < weights.length; i++) {
    const scale = scales[Math.floor(i / inner) % channels]!;
    const value = scale === 0 ? 0 : Math.max(-LARGEST, Math.min(LARGEST, Math.round(weights[i]! / scale)));
    values[i] = value;
    error += (weights[i]! - value * scale) ** 2;
  }
  return { values, scales, scaleShape: shape.map((size, index) => (index === axis ? size : 1)), error };
};

/** Restores weights from 8-bit integers and the scales of one axis. */
export const dequantizeInt8 = (
  values: Int8Array,
  shape: readonly number[],
  scales: Float32Array,
  scaleShape: readonly number[],
): Float32Array<ArrayBuffer> => {
  const axis = Math.max(
    0,
    scaleShape.findIndex((size) => size !== 1),
  );
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const weights = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) weights[i] = values[i]! * scales[Math.floor(i / inner) % scales.length]!;
  return weights;
};
