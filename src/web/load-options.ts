import { PRECISIONS, type Precision } from '../model-folder/precision.ts';
import {
  booleanRule,
  functionRule,
  integerFrom,
  oneOf,
  stringRule,
  type OptionRules,
} from '../options/check-options.ts';

/**
 * Name of a device: `auto` is WebGPU where there is a graphics processor for it, else WebAssembly. `cpu` is another name of
 * `wasm`.
 */
export type WebDevice = 'auto' | 'webgpu' | 'wasm' | 'cpu';

/** Progress of loading a model; the last event has status `ready`. */
export interface ProgressEvent {
  /** Current activity. */
  readonly status: 'reading' | 'downloading' | 'compiling' | 'ready';
  /** Name of the file that is downloaded, of the program being compiled, or of the model. */
  readonly name: string;
  /** Bytes of the download so far. */
  readonly loadedBytes?: number | undefined;
  /** Total bytes of the download; undefined if the server does not send it. */
  readonly totalBytes?: number | undefined;
}

/** Options of `MDETR.fromPretrained` in a browser. */
export interface FromPretrainedOptions {
  /** Default `auto`. */
  readonly device?: WebDevice | undefined;
  /** Threads of WebAssembly on pages that are cross-origin isolated. Default: half the cores, at most 4. */
  readonly threads?: number | undefined;
  /** Precision of an exported folder; by default the only one it has, or the most exact. */
  readonly dtype?: Precision | undefined;
  /** Run in a Web Worker, so that the page stays responsive. Default true. */
  readonly worker?: boolean | undefined;
  /** Keep downloaded weights in Cache storage. Default true. */
  readonly cache?: boolean | undefined;
  /** SHA-256 of the weight file of a model folder, in hexadecimal; other contents are refused. */
  readonly sha256?: string | undefined;
  /**
   * URL under which this package is served, for pages whose bundler does not follow `new URL(…, import.meta.url)`. Its
   * folders `dist/web`, `dist/ort` and, for the embedded model, `models` are needed.
   */
  readonly assets?: string | undefined;
  /** Called while the model loads. */
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

/** Rules of `FromPretrainedOptions`. */
export const fromPretrainedRules: OptionRules<FromPretrainedOptions> = {
  device: oneOf('auto', 'webgpu', 'wasm', 'cpu'),
  dtype: oneOf(...PRECISIONS),
  threads: integerFrom(1),
  worker: booleanRule,
  cache: booleanRule,
  sha256: {
    expected: 'a SHA-256 in 64 hexadecimal digits',
    accepts: (value) => typeof value === 'string' && /^[0-9a-f]{64}$/i.test(value),
  },
  assets: stringRule,
  onProgress: functionRule,
};
