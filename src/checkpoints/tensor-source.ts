import type { TensorEntry } from './tensor-entry.ts';
import { bytesPerElement, type CheckpointDtype, elementCount } from './dtype.ts';
import { float32ToFloat16 } from './half.ts';

/** A tensor to write. Every `TensorEntry` is one, so that files are converted tensor by tensor. */
export type TensorSource = Pick<TensorEntry, 'name' | 'dtype' | 'shape' | 'read'>;

/** Tensor source over 32-bit floats in memory, optionally stored as half floats. */
export const tensorSource = (
  name: string,
  shape: readonly number[],
  values: Float32Array,
  dtype: 'f32' | 'f16' = 'f32',
): TensorSource => ({
  name,
  dtype,
  shape,
  read: () => {
    const stored = dtype === 'f16' ? float32ToFloat16(values) : values;
    return Promise.resolve(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  },
});

/** Size in bytes of a tensor's values. */
export const byteLengthOf = ({
  shape,
  dtype,
}: {
  readonly shape: readonly number[];
  readonly dtype: CheckpointDtype;
}): number => (elementCount(shape) ?? NaN) * bytesPerElement(dtype);

/** Reads the contents of a source and checks that their length agrees with its shape. */
export const readChecked = async (source: TensorSource): Promise<Uint8Array> => {
  const bytes = await source.read();
  const expected = byteLengthOf(source);
  if (bytes.byteLength !== expected) {
    throw new Error(
      `internal: tensor "${source.name}" (${source.dtype}, [${source.shape}]) has ${bytes.byteLength} bytes, not ${expected}`,
    );
  }
  return bytes;
};
