import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Ort from 'onnxruntime-web';
import { MdetrError, messageOf } from '../../../../errors.ts';
import { findPackageFile, packageRequire } from '../../../../files/package-folder.ts';
import { externalDataName } from '../../node/compiled-files.ts';
import { ProgramCache } from '../../node/program-cache.ts';
import type { CompiledProgram } from '../../runtime.ts';
import { WEIGHTS_FILE } from '../../stored-weights.ts';
import { WebRuntime, type CompileWithWeights } from '../web-runtime.ts';

/** Options of {@link createWasmRuntime}. */
export interface WasmRuntimeOptions {
  /** Threads of one run. Default: half the cores, at most 4. Fixed by the first runtime of a process. */
  readonly threads?: number | undefined;
  /** Cache of compiled programs. Default: the folder of `MDETR_CACHE`. */
  readonly cache?: ProgramCache | undefined;
}

/** Files of ONNX Runtime Web that run in Node: the module, its WebAssembly loader, the WebAssembly itself. */
export const ORT_WEB_FILES = ['ort.node.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'] as const;

/** Folder of {@link ORT_WEB_FILES}: `dist/ort/` of the package, or the development dependency. */
const ortFolder = (): string => {
  const packaged = findPackageFile(join('dist/ort', ORT_WEB_FILES[0]));
  if (packaged !== undefined) return dirname(packaged);
  try {
    return dirname(packageRequire.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
  } catch (error) {
    throw new MdetrError('the WebAssembly build of ONNX Runtime is not installed (dist/ort is missing)', {
      cause: error,
    });
  }
};

let loaded: Promise<typeof Ort> | undefined;

const loadOrt = async (threads: number | undefined): Promise<typeof Ort> => {
  const folder = ortFolder();
  const ort = (await import(
    /* webpackIgnore: true */ pathToFileURL(join(folder, ORT_WEB_FILES[0])).href
  )) as typeof Ort;
  if (threads !== undefined) ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = `${pathToFileURL(folder).href}/`.replace(/\/+$/, '/');
  ort.env.logLevel = 'error';
  return ort;
};

/** Combines programs with weights by the cache on disk, and reads the result back: WebAssembly cannot map files. */
const compileIn =
  (cache: ProgramCache): CompileWithWeights =>
  async (program, weights, runtime, storage) => {
    const path = await cache.compile(program, weights, runtime, storage);
    return readCompiled(path, WEIGHTS_FILE);
  };

/** Reads an ONNX file and the file of its weights, if there is one beside it. */
const readCompiled = async (path: string, weightsFile = externalDataName(basename(path))): Promise<CompiledProgram> => {
  const weightsPath = join(dirname(path), weightsFile);
  const [model, data] = await Promise.all([
    readFile(path),
    existsSync(weightsPath) ? readFile(weightsPath) : undefined,
  ]);
  return { model, weights: data && { path: weightsFile, data } };
};

/**
 * A runtime on ONNX Runtime's WebAssembly build, for systems without a native build. Runs block the event loop.
 *
 * @throws {MdetrError} if the WebAssembly files are missing
 */
export const createWasmRuntime = async ({ threads, cache }: WasmRuntimeOptions = {}): Promise<WebRuntime> => {
  try {
    const ort = await (loaded ??= loadOrt(threads));
    return new WebRuntime(ort, { device: 'wasm', compile: compileIn(cache ?? new ProgramCache()), read: readCompiled });
  } catch (error) {
    loaded = undefined;
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`ONNX Runtime's WebAssembly build cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
};
