import type { DType, HostTensor } from '../graph/dtype.ts';
import type { NamedTensors, Program } from '../graph/program.ts';

/** Source of a program's weights, such as a checkpoint. */
export interface WeightSource {
  /** Digest of all weights, used in the keys of the program cache. */
  readonly digest: string;
  /** The value of a parameter, contiguous and row-major. */
  read(name: string): Promise<HostTensor>;
}

/** A weight in a compact form: cast to float32 and multiplied by the scales, which broadcast, it is the weight again. */
export interface EncodedWeight {
  /** Values as stored. */
  readonly values: HostTensor;
  /** Scale of each channel, if the values are quantized. */
  readonly scales?: HostTensor | undefined;
}

/** Form in which the weights of a compiled program are stored. Arithmetic does not change. */
export interface WeightStorage {
  /** Name, used in the keys of the program cache. */
  readonly name: string;
  /**
   * Encodes a weight for storage.
   *
   * @param name the parameter's name, or a generated one for a weight that is computed from parameters
   * @param names those of all weights of the program
   */
  encode(weight: HostTensor, name: string, names: readonly string[]): EncodedWeight;
}

/** Options of {@link Runtime.load}. */
export interface LoadOptions {
  /** Form in which `weights` are stored. Default: as they are. */
  readonly storage?: WeightStorage | undefined;
  /** Weights that become part of the loaded program. Without them, the parameters are inputs of every run. */
  readonly weights?: WeightSource;
  /**
   * ONNX file of the program with its weights, already compiled: its path, with the files that it refers to beside it, or
   * its contents. Nothing is emitted or cached then; the program only declares inputs and outputs.
   */
  readonly compiled?: string | CompiledProgram | undefined;
  /** The compiled program is in the cache, where the runtime may keep beside it what it makes of it for this CPU. */
  readonly isCached?: boolean | undefined;
  /**
   * Outputs that `compute` leaves on the device, and that are fed to other programs of the runtime only: they need not be
   * readable. A device that shares the host's memory ignores it.
   */
  readonly deviceOutputs?: readonly string[] | undefined;
  /** Number of runs of the program at the same time, which share the threads. Default 1. */
  readonly concurrentRuns?: number | undefined;
  /** Called when the rest is up to ONNX Runtime, which creates the session on another thread. Runtimes without threads may not call it. */
  readonly onCreating?: (() => void) | undefined;
}

/** A compiled program: the contents of the ONNX file, and of the file of its weights if it has one. */
export interface CompiledProgram {
  /** ONNX model as bytes. */
  readonly model: Uint8Array;
  /** File name and bytes of its external data. */
  readonly weights?: { readonly path: string; readonly data: Uint8Array } | undefined;
}

/** Host tensors by input name. */
export type Feeds = Readonly<Record<string, HostTensor>>;

/**
 * Output of a program that stays on the device, to be fed to another program without a copy. `release` makes its memory
 * available to later runs; a value that is never released is garbage-collected, but later runs allocate new memory.
 */
export interface DeviceTensor {
  /** Element type. */
  readonly dtype: DType;
  /** Sizes of the dimensions. */
  readonly shape: readonly number[];
  /** Returns the value as a host tensor. On a device that shares the host's memory it is a view, valid until `release`. */
  read(): Promise<HostTensor>;
  /** Releases the memory; further calls do nothing. A released value can be neither read nor fed. */
  release(): void;
}

/** Values by input name, on the host or on the device. */
export type Values = Readonly<Record<string, HostTensor | DeviceTensor>>;

/** Feeds of a run: a value for every input of the program, `undefined` only for those that its config may leave out. */
export type FeedsOf<Inputs> = string extends keyof Inputs
  ? Values
  : { readonly [Name in keyof Inputs]: HostTensor | DeviceTensor | Extract<Inputs[Name], undefined> };

/** Results of a run: a value for every output of the program. */
export type ResultsOf<Outputs, Value = HostTensor> = string extends keyof Outputs
  ? Readonly<Record<string, Value>>
  : { readonly [Name in keyof Outputs]: Value | Extract<Outputs[Name], undefined> };

/** A loaded program. The types of its feeds and results follow from the program's (see `defineProgram`). */
export interface Session<Inputs extends NamedTensors = NamedTensors, Outputs extends NamedTensors = NamedTensors> {
  /** The program that runs. */
  readonly program: Program<Inputs, Outputs>;
  /** Runs the program; the results belong to the caller. */
  run(feeds: FeedsOf<Inputs>): Promise<ResultsOf<Outputs>>;
  /**
   * Gives the memory of results of `run` to later runs. Nothing may read them afterwards. Results that are not given back are
   * freed by garbage collection.
   */
  recycle?(results: ResultsOf<Outputs>): void;
  /** Like `run`, but the results stay on the device; the caller releases each of them. */
  compute(feeds: FeedsOf<Inputs>): Promise<ResultsOf<Outputs, DeviceTensor>>;
  /** Frees the session's resources. A disposed session rejects further runs. */
  dispose(): Promise<void>;
}

/** Session of a program of the given type. */
export type SessionOf<P> = P extends Program<infer Inputs, infer Outputs> ? Session<Inputs, Outputs> : never;

/** Results of running a program of the given type. */
export type ProgramResults<P> = P extends Program<infer _, infer Outputs> ? ResultsOf<Outputs> : never;

/** Runs programs on a device. Code outside this folder uses only this interface. */
export interface Runtime {
  /** Name of the device: `cpu`, `webgpu`, `cuda`, … */
  readonly device: string;
  /** Number of threads that runs at the same time share; 1 (the default) where one run waits for the other. */
  readonly concurrency?: number;
  /** Compiles a program for the device. */
  load<Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
    options?: LoadOptions,
  ): Promise<Session<Inputs, Outputs>>;
}
