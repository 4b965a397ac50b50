import { float32ToFloat16, LARGEST_FLOAT16 } from '../checkpoints/half.ts';
import { quantizeInt8, quantizeKernels } from '../checkpoints/int8.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { EncodedWeight, WeightStorage } from '../engine/runtime/runtime.ts';
import type { Precision } from './export-manifest.ts';

/** Smaller weights (biases, norms) stay float32: they are a thousandth of the bytes. */
const MIN_ELEMENTS = 1024;

/** Whether a weight can be a half float: it is large enough to matter, and no value overflows. */
const fitsFloat16 = (data: Float32Array): boolean =>
  data.length >= MIN_ELEMENTS && data.every((value) => Math.abs(value) <= LARGEST_FLOAT16);

const asFloat16 = (weight: HostTensor): EncodedWeight =>
  weight.dtype === 'float32' && fitsFloat16(weight.data)
    ? { values: { dtype: 'float16', shape: weight.shape, data: float32ToFloat16(weight.data) } }
    : { values: weight };

/**
 * Parameters whose rounding shows in the results at once: the heads, also that of a backbone that detects objects itself, the queries, and the
 * layers that wire words to positions. They are a thousandth of the published network and become half floats.
 */
const SENSITIVE = /(^|\.)(\w+_embed|answer_\w*head|contrastive_\w+|priming|head)\./;

const BACKBONE = /(?:^|\.)backbone\.\d+\.body\./;
/** Filters of a detector with at least as many values take a third of its bytes; the others become half floats. */
const LARGE_FILTER = 2 ** 19;
/** Values of a kernel that share a scale; scales of smaller ones would save nothing. */
const MIN_KERNEL = 9;

/**
 * Whether a network's backbone detects objects itself: it has a head. Its proposals are chosen by their scores, and nearly
 * equal ones change places when its filters are rounded to 8 bits, the first ones above all.
 *
 * @param names those of its parameters
 */
export const hasDetector = (names: readonly string[]): boolean =>
  names.some((name) => BACKBONE.test(name) && /\.head\./.test(name));

/** Meaning of int8 for such a network, in reports. */
export const DETECTOR_INT8 = 'weights only; the backbone detects objects, and always computes with floats';

/**
 * Form of a weight of an int8 model: a half float, 8-bit integers with a scale for each kernel, or with one for each channel.
 *
 * @param names those of all weights beside it
 */
export const int8FormOf = (
  name: string,
  shape: readonly number[],
  names: readonly string[],
): 'half' | 'kernels' | 'channels' => {
  if (SENSITIVE.test(name)) return 'half';
  if (!BACKBONE.test(name) || !hasDetector(names)) return 'channels';
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  const area = kernel.reduce((product, size) => product * size, 1);
  return outputs * inputs * area >= LARGE_FILTER && area >= MIN_KERNEL ? 'kernels' : 'half';
};

/** Matrices and filters as 8-bit integers; what does not fit that form stays float32. */
const asInt8 = (weight: HostTensor, name: string, names: readonly string[]): EncodedWeight => {
  const form = int8FormOf(name, weight.shape, names);
  if (form === 'half') return asFloat16(weight);
  const quantize = form === 'kernels' ? quantizeKernels : quantizeInt8;
  const quantized = weight.dtype === 'float32' ? quantize(weight.data, weight.shape) : undefined;
  if (quantized === undefined) return { values: weight };
  const { values, scales, scaleShape } = quantized;
  return {
    values: { dtype: 'int8', shape: weight.shape, data: values },
    scales: { dtype: 'float32', shape: scaleShape, data: scales },
  };
};

/** How each precision stores weights; undefined for float32, which stores them as they are. */
const STORAGES: Readonly<Record<Precision, WeightStorage | undefined>> = {
  float32: undefined,
  float16: { name: 'float16-1', encode: asFloat16 },
  int8: { name: 'int8-4', encode: asInt8 },
};

/** Form in which a precision stores the weights of compiled programs; undefined for float32. */
export const storageOf = (precision: Precision): WeightStorage | undefined => STORAGES[precision];

/** Upper bound of a precision's bytes per float32 byte, without the scales and what stays float32. */
export const STORED_FRACTION: Readonly<Record<Precision, number>> = { float32: 1, float16: 0.5, int8: 0.25 };
