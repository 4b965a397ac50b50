import { PRECISIONS, type Precision } from '../../model-folder/precision.ts';
import type { Preprocessing } from '../../model-folder/preprocessing.ts';
import type { Placement } from '../../engine/runtime/placement.ts';
import {
  booleanRule,
  functionRule,
  integerFrom,
  oneOf,
  stringRule,
  type OptionRules,
} from '../../options/check-options.ts';

/** Progress of loading a model; the last event has status `ready`. */
export interface ProgressEvent {
  /** Current activity. */
  readonly status: 'downloading' | 'reading' | 'compiling' | 'ready';
  /** Name of the file being downloaded, the program being compiled, or the model. */
  readonly name: string;
}

/** Options of `MDETR.fromPretrained`. */
export interface FromPretrainedOptions {
  /** Branch, tag or commit of a model of the Hugging Face hub. Default `main`. */
  readonly revision?: string | undefined;
  /** Uses a model of the hub only if it was downloaded before. Default false. */
  readonly localFilesOnly?: boolean | undefined;
  /** `cpu` (default), or `webgpu`, `cuda`, `coreml`, `dml` where the machine has them. */
  readonly device?: string | undefined;
  /** Rejects a run of which a node ran on the CPU instead of `device`. Default false. */
  readonly strictDevice?: boolean | undefined;
  /** Receives, after the first run of a program on another device than the CPU, which of its nodes ran on the CPU. */
  readonly onPlacement?: ((placement: Placement) => void) | undefined;
  /**
   * Precision in which the weights are stored; arithmetic is float32. Default: `float32`, or for an exported folder the
   * most exact precision that it has.
   */
  readonly dtype?: Precision | undefined;
  /** Threads of one program run. Default: ONNX Runtime's choice, one per physical core. */
  readonly threads?: number | undefined;
  /** Folder of compiled programs; by default the system's cache folder, or `MDETR_CACHE`. */
  readonly cacheDir?: string | undefined;
  /** Which weights of a training checkpoint: the moving average (`ema`) by default where there is one. */
  readonly weights?: 'model' | 'ema' | undefined;
  /** Path of a JSON file with the official arguments, for a weight file that carries none. */
  readonly config?: string | undefined;
  /** Folder of the vocabulary's files, or the name of a pulled one, for a bare checkpoint. */
  readonly tokenizer?: string | undefined;
  /** Path of GQA's answer table, for its question heads. */
  readonly answers?: string | undefined;
  /** Called as files are downloaded and read and programs are compiled. */
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
  /**
   * Called when the size of the model's images is known, mostly while its programs are still loading.
   *
   * @internal
   */
  readonly onPreprocessing?: ((preprocessing: Preprocessing) => void) | undefined;
}

/** Rules of `FromPretrainedOptions`. */
export const fromPretrainedRules: OptionRules<FromPretrainedOptions> = {
  revision: stringRule,
  localFilesOnly: booleanRule,
  device: stringRule,
  strictDevice: booleanRule,
  onPlacement: functionRule,
  dtype: oneOf(...PRECISIONS),
  threads: integerFrom(1),
  cacheDir: stringRule,
  weights: oneOf('model', 'ema'),
  config: stringRule,
  tokenizer: stringRule,
  answers: stringRule,
  onProgress: functionRule,
  onPreprocessing: functionRule,
};
