import type * as Ort from 'onnxruntime-web';
import { MdetrError, messageOf } from '../../../errors.ts';
import { compileInMemory } from './compile-in-memory.ts';
import { WebRuntime } from './web-runtime.ts';

/** URLs of a build of ONNX Runtime Web: its module and its WebAssembly. */
export interface OrtBuild {
  readonly module: string;
  readonly wasm: string;
}

/** Options of {@link createBrowserRuntime}. */
export interface BrowserRuntimeOptions {
  readonly device: 'webgpu' | 'wasm';
  /** Threads of WebAssembly. */
  readonly threads: number;
  readonly build: OrtBuild;
}

let loaded: { readonly module: string; readonly threads: number; readonly ort: Promise<typeof Ort> } | undefined;

/**
 * A runtime on ONNX Runtime Web, which is loaded by URL, once for a thread of JavaScript.
 *
 * @throws {MdetrError} if it cannot be loaded, or was loaded with another number of threads or for another device
 */
export const createBrowserRuntime = async ({ device, threads, build }: BrowserRuntimeOptions): Promise<WebRuntime> => {
  if (loaded !== undefined && (loaded.module !== build.module || loaded.threads !== threads))
    throw new MdetrError(
      'another model runs here with another device or number of threads; load one of them in a worker (the default)',
    );
  try {
    loaded ??= { module: build.module, threads, ort: loadOrt(build, threads) };
    return new WebRuntime(await loaded.ort, { device, compile: compileInMemory });
  } catch (error) {
    loaded = undefined;
    throw new MdetrError(`ONNX Runtime cannot be loaded from ${build.module}: ${messageOf(error)}`, { cause: error });
  }
};

const loadOrt = async (build: OrtBuild, threads: number): Promise<typeof Ort> => {
  const ort = (await import(/* @vite-ignore */ /* webpackIgnore: true */ build.module)) as typeof Ort;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = { wasm: build.wasm };
  ort.env.logLevel = 'error';
  return ort;
};
