import { MdetrError, messageOf } from '../../../errors.ts';
import type { NamedTensors, Program, ProgramInput } from '../../graph/program.ts';
import { loadProgram } from '../node/load-program.ts';
import { ProgramCache } from '../node/program-cache.ts';
import type { LoadOptions, Runtime, Session } from '../runtime.ts';
import { returnFreedMemory } from './free-memory.ts';
import { OrtLibrary, type Address } from './library.ts';
import { NativeSession } from './native-session.ts';
import { SharedArena } from './shared-arena.ts';

export interface NativeRuntimeOptions {
  /** Threads that one run uses; by default ONNX Runtime's choice, one a physical core. */
  readonly threads?: number;
  /** Where programs with weights are kept between starts. */
  readonly cache?: ProgramCache;
  /** Runs take place on the calling thread. */
  readonly blocking?: boolean;
  /** Every session writes how long its nodes took to a JSON file of this prefix, when it is disposed. */
  readonly profilePrefix?: string;
}

const logErrorsOnly = 3;
const allOptimizations = 99;

/**
 * Runs programs on the CPU through ONNX Runtime's own C interface: results are written where the next program reads
 * them, parameters are read where they stand, and runs take place on other threads, so that the event loop turns (but
 * for `blocking`).
 */
export class NativeRuntime implements Runtime {
  readonly device = 'cpu';
  private readonly library: OrtLibrary;
  private readonly arena: SharedArena;
  private readonly cache: ProgramCache;
  private loadedCount = 0;

  /** Throws `MdetrError` where the library cannot be called directly; `NodeRuntime` works there. */
  constructor(private readonly options: NativeRuntimeOptions = {}) {
    this.library = OrtLibrary.open();
    this.arena = new SharedArena((buffer) => this.library.address(new Uint8Array(buffer)));
    this.cache = options.cache ?? new ProgramCache();
  }

  /** Bytes of results that nobody has released yet. */
  get bytesInUse(): number {
    return this.arena.bytesInUse;
  }

  load<Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
    options?: LoadOptions,
  ): Promise<Session<Inputs, Outputs>>;
  load(program: Program, options: LoadOptions = {}): Promise<Session> {
    return loadProgram(program, options, this.cache, this, (...model) => this.create(...model));
  }

  private async create(
    program: Program,
    model: Uint8Array | string,
    inputs: readonly ProgramInput[],
  ): Promise<Session> {
    const { library } = this;
    const options = this.sessionOptions(program);
    const out = new BigUint64Array(1);
    try {
      if (typeof model === 'string')
        await library.callAsync(model, 'createSession', environment(library), pathArgument(model), options, out);
      else
        await library.callAsync(
          model,
          'createSessionFromArray',
          environment(library),
          model,
          model.byteLength,
          options,
          out,
        );
    } catch (error) {
      throw new MdetrError(`cannot load program "${program.name}" on device "${this.device}": ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      library.release('releaseSessionOptions', options);
    }
    const { profilePrefix, blocking = false } = this.options;
    const modes = { isProfiled: profilePrefix !== undefined, isBlocking: blocking };
    this.loadedCount++;
    return new NativeSession(program, inputs, library, out[0]!, this.arena, modes, () => this.afterDispose());
  }

  private async afterDispose(): Promise<void> {
    if (--this.loadedCount === 0) await returnFreedMemory();
  }

  private sessionOptions(program: Program): Address {
    const { library } = this;
    const { threads, profilePrefix } = this.options;
    const options = library.make('createSessionOptions');
    library.call('setSessionGraphOptimizationLevel', options, allOptimizations);
    library.call('setSessionLogSeverityLevel', options, logErrorsOnly);
    if (threads !== undefined) library.call('setIntraOpNumThreads', options, threads);
    // Plans of memory by sizes of inputs: they take more than they save, and pile up where sizes vary.
    library.call('disableMemPattern', options);
    // Else idle threads keep a core busy while the host matches and the optimiser works.
    library.call('addSessionConfigEntry', options, 'session.force_spinning_stop', '1');
    if (profilePrefix !== undefined)
      library.call('enableProfiling', options, pathArgument(`${profilePrefix}-${program.name}`));
    return options;
  }
}

/** ONNX Runtime's environment; it has one a process, however often it is made. */
const environment = (library: OrtLibrary): Address => (env ??= library.make('createEnv', logErrorsOnly, 'mdetr'));
let env: Address | undefined;

/** Paths are wide characters on Windows, and UTF-8 elsewhere. */
const pathArgument = (path: string): Uint8Array =>
  new Uint8Array(Buffer.from(`${path}\0`, process.platform === 'win32' ? 'utf16le' : 'utf8'));
