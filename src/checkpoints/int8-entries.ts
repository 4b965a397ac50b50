import { MdetrError, quoted } from '../errors.ts';
import { dequantizeInt8 } from './int8.ts';
import type { TensorEntry } from './tensor-entry.ts';

/** Ending of the name of the tensor that holds the scales of an 8-bit weight. */
export const INT8_SCALE_ENDING = '.int8_scale';

/**
 * Joins 8-bit weights with their scales: each pair becomes one float tensor under the name of the weight, which is
 * restored when it is read.
 *
 * @throws {MdetrError} for scales without their weight, or whose shape does not belong to it
 */
export const joinInt8Weights = (tensors: ReadonlyMap<string, TensorEntry>, where: string): Map<string, TensorEntry> => {
  const joined = new Map(tensors);
  for (const [scaleName, scales] of tensors) {
    if (!scaleName.endsWith(INT8_SCALE_ENDING)) continue;
    const name = scaleName.slice(0, -INT8_SCALE_ENDING.length);
    const weight = tensors.get(name);
    if (weight?.dtype !== 'i8')
      throw new MdetrError(`${where}: ${quoted(scaleName)} has no 8-bit weight ${quoted(name)}`);
    if (!isScaleShape(scales.shape, weight.shape))
      throw new MdetrError(
        `${where}: the scales of ${quoted(name)} have shape [${scales.shape.join(', ')}], which is not one value per channel of [${weight.shape.join(', ')}]`,
      );
    joined.delete(scaleName);
    joined.set(name, restored(weight, scales));
  }
  return joined;
};

/** Whether scales have one value for each position of one axis. */
const isScaleShape = (scales: readonly number[], weight: readonly number[]): boolean =>
  scales.length === weight.length &&
  scales.filter((size) => size !== 1).length <= 1 &&
  scales.every((size, axis) => size === 1 || size === weight[axis]);

const restored = (weight: TensorEntry, scales: TensorEntry): TensorEntry => {
  const { name, shape } = weight;
  const readFloat32 = async (): Promise<Float32Array> => {
    const [values, steps] = [await weight.read(), await scales.readFloat32()];
    return dequantizeInt8(new Int8Array(values.buffer, values.byteOffset, values.length), shape, steps, scales.shape);
  };
  return {
    name,
    shape,
    dtype: 'f32',
    stored: 'i8',
    byteLength: 4 * weight.byteLength,
    readFloat32,
    read: async () => {
      const { buffer, byteOffset, byteLength } = await readFloat32();
      return new Uint8Array(buffer, byteOffset, byteLength);
    },
  };
};
