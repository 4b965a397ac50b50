import { MdetrError, UsageError } from '../../errors.ts';
import { CommandLineTooLong } from './node/command-line.ts';
import type { NodeRuntimeOptions } from './node/node-runtime.ts';
import type { Runtime } from './runtime.ts';

/** Options of {@link createRuntime}. */
export interface RuntimeOptions extends NodeRuntimeOptions {
  /** Runs programs on the calling thread, which blocks it; for worker threads that only run programs. */
  readonly blocking?: boolean | undefined;
}

/** Implementations of `Runtime` in Node, fastest first. */
const RUNTIME_KINDS = ['native', 'node', 'wasm'] as const;
/** Name of an implementation of `Runtime`. */
export type RuntimeKind = (typeof RUNTIME_KINDS)[number];

const RUNTIME_FACTORIES: Readonly<Record<RuntimeKind, (options: RuntimeOptions) => Promise<Runtime>>> = {
  native: async (options) => {
    const { NativeRuntime } = await import('./native/native-runtime.ts');
    return new NativeRuntime(options);
  },
  node: async (options) => {
    const { NodeRuntime } = await import('./node/node-runtime.ts');
    return new NodeRuntime(options);
  },
  wasm: async (options) => {
    const { createWasmRuntime } = await import('./web/node/wasm-runtime.ts');
    return createWasmRuntime(options);
  },
};

/** The implementation that `MDETR_RUNTIME` forces, if it does. @throws {UsageError} if it names none */
const forcedKind = (): RuntimeKind | undefined => {
  const name = process.env['MDETR_RUNTIME'] ?? '';
  if (name === '') return undefined;
  const kind = RUNTIME_KINDS.find((known) => known === name);
  if (kind === undefined) throw new UsageError(`MDETR_RUNTIME must be ${RUNTIME_KINDS.join(', ')}, not "${name}"`);
  return kind;
};

/**
 * The fastest runtime that this machine can load for a device. On the CPU that is the C interface of ONNX Runtime, then
 * its Node binding, then its WebAssembly build; other devices need the Node binding. `MDETR_RUNTIME` forces one.
 *
 * @throws {MdetrError} for a device that is not available, or if no implementation can be loaded
 */
export const createRuntime = async (options: RuntimeOptions = {}): Promise<Runtime> => {
  const forced = forcedKind();
  const device = options.device ?? 'cpu';
  if (forced === 'wasm' && device !== 'cpu')
    throw new UsageError(`MDETR_RUNTIME=wasm runs on the CPU only; unset it to use device "${device}"`);
  if (forced !== undefined) return RUNTIME_FACTORIES[forced](options);
  if (device !== 'cpu') return RUNTIME_FACTORIES.node(options);
  const reasons: string[] = [];
  for (const kind of RUNTIME_KINDS) {
    try {
      return await RUNTIME_FACTORIES[kind](options);
    } catch (error) {
      if (!(error instanceof MdetrError) || error instanceof CommandLineTooLong) throw error;
      reasons.push(error.message);
    }
  }
  throw new MdetrError(
    `no build of ONNX Runtime can be loaded; run "npm install onnxruntime-node --ignore-scripts" (${reasons.join('; ')})`,
  );
};

/**
 * Begins to load what programs of all models need on the CPU: ONNX Runtime's library, and on another thread its environment. A program
 * that is busy with something else before it calls {@link createRuntime} calls this first. Errors are those of that call.
 *
 * @param isFrugal whether all threads shall allocate memory from one arena: less memory, for a process that runs programs only a few times
 */
export const prepareRuntime = async ({ isFrugal }: { readonly isFrugal: boolean }): Promise<void> => {
  try {
    if ((forcedKind() ?? 'native') !== 'native') return;
    const { NativeRuntime } = await import('./native/native-runtime.ts');
    if (isFrugal) (await import('./native/free-memory.ts')).shareArenas(1);
    await NativeRuntime.prepare();
  } catch {
    // Thrown again when the runtime is created.
  }
};
