import { float32ToFloat16, LARGEST_FLOAT16 } from '../../checkpoints/half.ts';
import { INT8_SCALE_ENDING } from '../../checkpoints/int8-entries.ts';
import { quantizeInt8 } from '../../checkpoints/int8.ts';
import { toFloat32, type TensorEntry, type TensorSource } from '../../checkpoints/index.ts';
import { MdetrError } from '../../errors.ts';
import type { Precision } from '../export-manifest.ts';
import { int8FormOf } from '../weight-storage.ts';

/** Types of weights that a precision replaces; integers such as `position_ids` stay. */
const FLOATS = new Set(['f64', 'f32', 'f16', 'bf16']);
/** Smaller tensors stay float32, as in compiled programs. */
const MIN_ELEMENTS = 1024;

/** The precision in which a file stores its weights, if it has 8-bit ones; undefined otherwise. */
export const storedPrecision = (tensors: Iterable<TensorEntry>): Precision | undefined => {
  for (const { stored } of tensors) if (stored === 'i8') return 'int8';
  return undefined;
};

/**
 * The tensors to write for weights in a precision. They are converted one at a time, when they are written; for `int8`
 * they are read once before that, to find the axis of the scales. What compiled programs store in a more exact form than one
 * scale per channel becomes half floats.
 */
export const inPrecision = async (
  tensors: readonly TensorSource[],
  precision: Precision,
  signal?: AbortSignal,
): Promise<TensorSource[]> => {
  const written: TensorSource[] = [];
  const names = tensors.map(({ name }) => name);
  for (const tensor of tensors) {
    signal?.throwIfAborted();
    if (!FLOATS.has(tensor.dtype)) written.push(tensor);
    else if (precision === 'int8') written.push(...(await asInt8(tensor, names)));
    else if (precision === 'float16' && countOf(tensor) >= MIN_ELEMENTS) written.push(asFloat16(tensor));
    else written.push(asFloat32(tensor));
  }
  return written;
};

const countOf = ({ shape }: TensorSource): number => shape.reduce((product, size) => product * size, 1);

const floatsOf = async (tensor: TensorSource): Promise<Float32Array> => toFloat32(await tensor.read(), tensor.dtype);

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const asFloat32 = (tensor: TensorSource): TensorSource => ({
  name: tensor.name,
  shape: tensor.shape,
  dtype: 'f32',
  read: async () => bytesOf(await floatsOf(tensor)),
});

const fitsFloat16 = (values: Float32Array): boolean => values.every((value) => !(Math.abs(value) > LARGEST_FLOAT16));

const asFloat16 = (tensor: TensorSource): TensorSource => ({
  name: tensor.name,
  shape: tensor.shape,
  dtype: 'f16',
  read: async () => {
    const values = await floatsOf(tensor);
    if (!fitsFloat16(values))
      throw new MdetrError(
        `${tensor.name}: has values beyond ${LARGEST_FLOAT16}, the largest half float; convert with --dtype float32`,
      );
    return bytesOf(float32ToFloat16(values));
  },
});

const asInt8 = async (tensor: TensorSource, names: readonly string[]): Promise<TensorSource[]> => {
  const { name, shape } = tensor;
  const values = await floatsOf(tensor);
  if (int8FormOf(name, shape, names) !== 'channels')
    return [values.length >= MIN_ELEMENTS && fitsFloat16(values) ? asFloat16(tensor) : asFloat32(tensor)];
  const first = quantizeInt8(values, shape);
  if (first === undefined) return [asFloat32(tensor)];
  const { scales, scaleShape } = first;
  return [
    {
      name,
      shape,
      dtype: 'i8',
      read: async () => bytesOf(quantizeInt8(await floatsOf(tensor), shape)!.values),
    },
    {
      name: `${name}${INT8_SCALE_ENDING}`,
      shape: scaleShape,
      dtype: 'f32',
      read: () => Promise.resolve(bytesOf(scales)),
    },
  ];
};
