import type { CheckpointDtype } from './dtype.ts';
import type { JsonValue } from './pickle/pickle-values.ts';

/** One tensor of a weight file: what it is, and its contents when asked for. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  /** Of the contiguous contents, as `read` returns them. */
  readonly byteLength: number;
  /** Contents: contiguous, row-major, little-endian, in fresh memory. */
  read(): Promise<Uint8Array>;
  /** Contents as 32-bit floats. */
  readFloat32(): Promise<Float32Array>;
}

/** Size of a group of tensors, for people. */
export interface TensorTotals {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** What a weight file holds, whichever part of it was chosen. */
export interface CheckpointContents {
  readonly epoch?: number;
  /** The plain weights. Absent in a file that holds EMA weights only. */
  readonly model?: TensorTotals;
  /** The exponential moving average of the weights (`model_ema`). */
  readonly ema?: TensorTotals;
  /** The optimiser's state. */
  readonly optimizer?: TensorTotals;
  /** Further top-level keys. */
  readonly others: readonly string[];
  /** Entries among the chosen weights that are no tensors and are therefore left out. */
  readonly notTensors: readonly string[];
}

export type CheckpointFormat = 'pth-zip' | 'pth-legacy' | 'safetensors';

/** A weight file, open for reading. */
export interface Checkpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** The chosen weights by name, in the file's order. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Which weights were chosen; `only` when the file holds one set. */
  readonly weights: 'model' | 'ema' | 'only';
  readonly contents: CheckpointContents;
  /** The official command-line arguments, when the file holds them. */
  readonly args?: Readonly<Record<string, JsonValue>>;
  /** Free text of a safetensors file; empty otherwise. */
  readonly metadata: Readonly<Record<string, string>>;
  close(): Promise<void>;
}
