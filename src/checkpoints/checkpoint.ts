import type { TensorEntry } from './tensor-entry.ts';
import type { JsonValue } from './pickle/pickle-values.ts';

/** Total size of a group of tensors. */
export interface TensorTotals {
  /** Number of tensors. */
  readonly tensors: number;
  /** Number of elements. */
  readonly elements: number;
  /** Size in bytes. */
  readonly bytes: number;
}

/** Summary of everything in a weight file, including the weights that were not selected. */
export interface CheckpointContents {
  /** Epoch that the training had reached. */
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

/** Container format of a checkpoint. */
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
