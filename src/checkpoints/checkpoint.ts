import type { CheckpointDtype } from './dtype.ts';
import type { JsonValue } from './pickle/pickle-values.ts';

/** A tensor of a weight file. Its description is in memory, its contents are read on demand. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  /** Length in bytes of the contiguous contents that `read` returns. */
  readonly byteLength: number;
  /** Reads the contents: contiguous, row-major, little-endian, in newly allocated memory. */
  read(): Promise<Uint8Array>;
  /** Reads the contents, converted to 32-bit floats. */
  readFloat32(): Promise<Float32Array>;
}

/** Total size of a group of tensors. */
export interface TensorTotals {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** Summary of everything in a weight file, including the weights that were not selected. */
export interface CheckpointContents {
  readonly epoch?: number | undefined;
  /** The plain weights. Undefined if the file holds EMA weights only. */
  readonly model?: TensorTotals | undefined;
  /** Exponential moving average of the weights (`model_ema`). */
  readonly ema?: TensorTotals | undefined;
  /** The optimizer's state. */
  readonly optimizer?: TensorTotals | undefined;
  /** Other top-level keys. */
  readonly others: readonly string[];
  /** Entries of the selected weights that are not tensors and are therefore skipped. */
  readonly notTensors: readonly string[];
}

export type CheckpointFormat = 'pth-zip' | 'pth-legacy' | 'safetensors';

/** An open weight file. */
export interface Checkpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** The selected weights by name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Which weights were selected; `only` if the file holds one set. */
  readonly weights: 'model' | 'ema' | 'only';
  readonly contents: CheckpointContents;
  /** Command-line arguments of the official training, if the file holds them. */
  readonly args?: Readonly<Record<string, JsonValue>> | undefined;
  /** `__metadata__` of a safetensors file; empty for other formats. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Paths of all files that hold the weights: one, or the index and its shards. */
  readonly files: readonly string[];
  close(): Promise<void>;
}
