import { availableParallelism } from 'node:os';
import { MdetrError, messageOf } from '../../../errors.ts';
import type { NamedTensors, Program, ProgramInput } from '../../graph/program.ts';
import { checkCommandLine } from '../node/command-line.ts';
import { hasIntegerDotProducts } from '../node/integer-dot-products.ts';
import { loadProgram } from '../node/load-program.ts';
import { OptimizedProgram, type OptimizedFiles } from '../node/optimized-program.ts';
import { ProgramCache } from '../node/program-cache.ts';
import type { LoadOptions, Runtime, Session } from '../runtime.ts';
import { SLOW_ON_CPU } from '../slow-optimizers.ts';
import { releaseCodePages } from './code-pages.ts';
import { returnFreedMemory } from './free-memory.ts';
import { OrtLibrary, type Address } from './library.ts';
import { acquireRunArena, releaseRunArena, USES_RUN_ARENA } from './run-arena.ts';
import { NativeSession } from './native-session.ts';
import { SharedArena } from './shared-arena.ts';

/** Options of {@link NativeRuntime}. */
export interface NativeRuntimeOptions {
  /** Threads of one run. Default: ONNX Runtime's choice, one per physical core. */
  readonly threads?: number | undefined;
  /** Cache of compiled programs. Default: the folder of `MDETR_CACHE`. */
  readonly cache?: ProgramCache | undefined;
  /** Runs programs on the calling thread, which blocks it. */
  readonly blocking?: boolean | undefined;
  /** Profiles every session; the times of its nodes are written to a JSON file with this prefix on dispose. */
  readonly profilePrefix?: string | undefined;
}

/** `ORT_LOGGING_LEVEL_ERROR` of the C API. */
const LOG_ERRORS_ONLY = 3;
/** `ORT_DISABLE_ALL` of the C API. */
const NO_OPTIMIZATIONS = 0;
/** `ORT_ENABLE_ALL` of the C API. */
const ALL_OPTIMIZATIONS = 99;

/** Setting of a session: name of the file to which the weights of the optimized program are written. */
const OPTIMIZED_WEIGHTS_FILE = 'session.optimized_model_external_initializers_file_name';

/** How a session is created. */
interface CreateOptions extends Pick<LoadOptions, 'concurrentRuns' | 'onCreating'> {
  /** ONNX Runtime's optimizer has seen the program before. */
  readonly isOptimized?: boolean;
  /** Files in which it stores its result. */
  readonly optimizedFiles?: OptimizedFiles;
}

/**
 * Runs programs on the CPU through ONNX Runtime's C API. Outputs are written to memory that the next program reads in
 * place, parameters are read without a copy, and runs do not block the event loop (except with `blocking`).
 */
export class NativeRuntime implements Runtime {
  readonly device = 'cpu';
  readonly concurrency: number;
  private readonly library: OrtLibrary;
  private readonly arena: SharedArena;
  private readonly cache: ProgramCache;
  private loadedCount = 0;

  /** @throws {MdetrError} if the library cannot be called directly; `NodeRuntime` does not need that */
  constructor(private readonly options: NativeRuntimeOptions = {}) {
    this.library = OrtLibrary.open();
    checkCommandLine('native');
    this.arena = new SharedArena((buffer) => this.library.address(new Uint8Array(buffer)));
    this.cache = options.cache ?? new ProgramCache();
    this.concurrency = options.blocking === true ? 1 : (options.threads ?? availableParallelism());
  }

  /** Loads the library, and creates its environment on another thread. @throws {MdetrError} like the constructor */
  static async prepare(): Promise<void> {
    checkCommandLine('native');
    await environment(OrtLibrary.open());
  }

  /** Bytes of device values that have not been released. */
  get bytesInUse(): number {
    return this.arena.bytesInUse;
  }

  load<Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
    options?: LoadOptions,
  ): Promise<Session<Inputs, Outputs>>;
  load(program: Program, options: LoadOptions = {}): Promise<Session> {
    return loadProgram(program, options, this.cache, this, (...model) => this.create(...model, options));
  }

  private async create(
    program: Program,
    model: Uint8Array | string,
    inputs: readonly ProgramInput[],
    options: LoadOptions,
  ): Promise<Session> {
    const { library } = this;
    const env = await environment(library);
    acquireRunArena(library, env);
    const handle = await this.createSession(program, model, options).catch((error: unknown) => {
      releaseRunArena(library, env);
      throw new MdetrError(`cannot load program "${program.name}" on device "${this.device}": ${messageOf(error)}`, {
        cause: error,
      });
    });
    const { profilePrefix, blocking = false } = this.options;
    const modes = { isProfiled: profilePrefix !== undefined, isBlocking: blocking };
    this.loadedCount++;
    return new NativeSession(program, inputs, library, handle, this.arena, modes, () => this.afterDispose(env));
  }

  /** Handle of a new session. That of a program in the cache reads what the optimizer made of it before, or stores it. */
  private async createSession(program: Program, model: Uint8Array | string, options: LoadOptions): Promise<Address> {
    const { isCached = false, concurrentRuns, onCreating } = options;
    const common = { concurrentRuns, onCreating };
    if (typeof model !== 'string' || !isCached) return this.createFrom(program, model, common);
    const optimized = new OptimizedProgram(model);
    const stored = await optimized.find();
    if (stored !== undefined) {
      try {
        return await this.createFrom(program, stored, { ...common, isOptimized: true });
      } catch {
        await optimized.remove();
      }
    }
    const optimizedFiles = await optimized.newFiles();
    if (optimizedFiles === undefined) return this.createFrom(program, model, common);
    try {
      const handle = await this.createFrom(program, model, { ...common, optimizedFiles });
      await optimized.keep(optimizedFiles);
      return handle;
    } catch {
      await optimized.discard(optimizedFiles);
      return this.createFrom(program, model, common); // The cache cannot be written, or the error is that of the program.
    }
  }

  private async createFrom(program: Program, model: Uint8Array | string, creating: CreateOptions): Promise<Address> {
    const { library } = this;
    const env = await environment(library);
    const options = this.sessionOptions(program, creating);
    const out = new BigUint64Array(1);
    try {
      const created =
        typeof model === 'string'
          ? library.callAsync(model, 'createSession', env, pathArgument(model), options, out)
          : library.callAsync(model, 'createSessionFromArray', env, model, model.byteLength, options, out);
      creating.onCreating?.();
      await created;
    } finally {
      library.release('releaseSessionOptions', options);
      releaseCodePages(library.path);
    }
    return out[0]!;
  }

  private afterDispose(env: Address): void {
    releaseRunArena(this.library, env);
    if (--this.loadedCount > 0) return;
    // Not where the process ends now, which is what most calls of the command line do.
    setImmediate(() => void returnFreedMemory()).unref();
  }

  private sessionOptions(
    program: Program,
    { isOptimized = false, optimizedFiles, concurrentRuns = 1 }: CreateOptions,
  ): Address {
    const { library } = this;
    const { threads, profilePrefix } = this.options;
    const options = library.make('createSessionOptions');
    library.call('setSessionGraphOptimizationLevel', options, isOptimized ? NO_OPTIMIZATIONS : ALL_OPTIMIZATIONS);
    if (optimizedFiles !== undefined) {
      library.call('setOptimizedModelFilePath', options, pathArgument(optimizedFiles.model));
      library.call('addSessionConfigEntry', options, OPTIMIZED_WEIGHTS_FILE, optimizedFiles.weights);
    }
    library.call('setSessionLogSeverityLevel', options, LOG_ERRORS_ONLY);
    // Each of several runs has a thread of its own beside those that the session's runs share.
    const shared = this.concurrency === 1 || concurrentRuns === 1 ? threads : this.concurrency - concurrentRuns + 1;
    if (shared !== undefined) library.call('setIntraOpNumThreads', options, Math.max(1, shared));
    // Memory patterns are kept per input shape: they cost more than they save, and accumulate with varying shapes.
    library.call('disableMemPattern', options);
    library.call('addSessionConfigEntry', options, USES_RUN_ARENA, '1');
    // Otherwise idle threads spin while the host computes the matching and the optimizer step.
    library.call('addSessionConfigEntry', options, 'session.force_spinning_stop', '1');
    library.call('addSessionConfigEntry', options, ...SLOW_ON_CPU);
    // Without VNNI, sums of two products of 8-bit integers may overflow the instruction that x86 has for them. With it, the
    // other kernels that this selects are 2.6 times slower.
    if (process.arch === 'x64' && !hasIntegerDotProducts())
      library.call('addSessionConfigEntry', options, 'session.x64quantprecision', '1');
    if (profilePrefix !== undefined)
      library.call('enableProfiling', options, pathArgument(`${profilePrefix}-${program.name}`));
    return options;
  }
}

/** ONNX Runtime's environment. There is one per process, however often it is created. It takes 10 ms, on another thread. */
const environment = (library: OrtLibrary): Promise<Address> => (env ??= createEnvironment(library));
let env: Promise<Address> | undefined;

const createEnvironment = async (library: OrtLibrary): Promise<Address> => {
  const out = new BigUint64Array(1);
  const name = new Uint8Array(Buffer.from('mdetr\0'));
  await library.callAsync(undefined, 'createEnv', LOG_ERRORS_ONLY, name, out);
  // For worker threads, where the setting in the environment may be missing.
  library.call('disableTelemetryEvents', out[0]!);
  return out[0]!;
};

/** Null-terminated path: UTF-16 on Windows, UTF-8 elsewhere. */
const pathArgument = (path: string): Uint8Array =>
  new Uint8Array(Buffer.from(`${path}\0`, process.platform === 'win32' ? 'utf16le' : 'utf8'));
