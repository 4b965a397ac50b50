import type { CheckpointDtype } from './dtype.ts';

/** A tensor of a weight file. Its description is in memory, its contents are read on demand. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  /** Type in the file, where it is another one: 8-bit weights are restored with their scales. */
  readonly stored?: CheckpointDtype | undefined;
  /** Length in bytes of the contiguous contents that `read` returns. */
  readonly byteLength: number;
  /** Reads the contents: contiguous, row-major, little-endian, in newly allocated memory. */
  read(): Promise<Uint8Array>;
  /** Reads the contents, converted to 32-bit floats. */
  readFloat32(): Promise<Float32Array>;
}
