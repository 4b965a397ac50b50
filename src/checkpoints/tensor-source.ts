import type { TensorEntry } from './checkpoint.ts';
import { bytesPerElement, type CheckpointDtype, elementCount } from './dtype.ts';
import { float32ToFloat16 } from './half.ts';

/** A tensor to be written: every `TensorEntry` is one, so that files can be converted without holding them. */
export type TensorSource = Pick<TensorEntry, 'name' | 'dtype' | 'shape' | 'read'>;

/** A tensor to be written that lies in memory as 32-bit floats; stored as half floats when told so. */
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

export const byteLengthOf = ({
  shape,
  dtype,
}: {
  readonly shape: readonly number[];
  readonly dtype: CheckpointDtype;
}): number => (elementCount(shape) ?? NaN) * bytesPerElement(dtype);

/** Contents of a source, after checking that they are as many bytes as its shape says. */
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
