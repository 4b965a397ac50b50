import { MdetrError } from '../../errors.ts';
import type { DType, HostTensor } from '../graph/dtype.ts';
import { dimKey, evaluateDim, formatShape, SymbolicDim, type Atom, type Dim } from '../graph/dim.ts';
import type { NamedTensors, Program, ProgramInput } from '../graph/program.ts';
import type { Tensor } from '../graph/tensor.ts';

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

const bindShape = (
  name: string,
  tensor: Tensor,
  value: HostTensor | DeviceTensor,
  bindings: Map<string, { size: number; from: string }>,
): void => {
  const expected = `${tensor.dtype}${formatShape(tensor.shape)}`;
  const got = `${value.dtype}[${value.shape.join(', ')}]`;
  const fits = value.dtype === tensor.dtype && value.shape.length === tensor.rank;
  if (!fits) throw new MdetrError(`input "${name}" must be ${expected}, got ${got}`);
  const count = value.shape.reduce((product, size) => product * size, 1);
  if ('data' in value && value.data.length !== count)
    throw new MdetrError(`input "${name}" has ${value.data.length} values for shape [${value.shape.join(', ')}]`);
  tensor.shape.forEach((dim: Dim, axis) => {
    const size = value.shape[axis]!;
    if (typeof dim === 'number') {
      if (dim !== size) throw new MdetrError(`input "${name}" must be ${expected}, got ${got}`);
      return;
    }
    const bound = bindings.get(dim.key);
    if (bound === undefined) bindings.set(dim.key, { size, from: name });
    else if (bound.size !== size) {
      throw new MdetrError(
        `input "${name}" has ${dim.key} = ${size}, but input "${bound.from}" has ${dim.key} = ${bound.size}`,
      );
    }
  });
};

/** Checks sizes that are formulas of other sizes, such as h·w + T of a joint sequence. */
const checkFormulas = (
  expected: readonly ProgramInput[],
  bindings: ReadonlyMap<string, { size: number; from: string }>,
): void => {
  const sizes = new Map(Array.from(bindings, ([key, { size }]) => [key, size]));
  const symbolsOf = (dim: Dim): string[] =>
    typeof dim === 'number'
      ? []
      : dim.terms.flatMap(({ atoms }) =>
          atoms.flatMap((atom) => (atom.kind === 'symbol' ? [atom.name] : symbolsOf(atom.numerator))),
        );
  for (const { name, tensor } of expected) {
    for (const dim of tensor.shape) {
      const symbols = symbolsOf(dim);
      if (!symbols.every((symbol) => sizes.has(symbol))) continue;
      const [size, bound] = [evaluateDim(dim, sizes), typeof dim === 'number' ? dim : sizes.get(dim.key)!];
      if (size === bound) continue;
      const known = [...new Set(symbols)].map((symbol) => `${symbol} = ${sizes.get(symbol)!}`).join(', ');
      throw new MdetrError(`input "${name}" has ${dimKey(dim)} = ${bound}, but with ${known} it must be ${size}`);
    }
  }
};

/**
 * Checks that every input is given with the right dtype and shape, and that equal symbolic sizes agree. Returns the sizes.
 *
 * @throws {MdetrError} naming the first input that does not fit
 */
export const checkFeeds = (program: Program, feeds: Values, expected: readonly ProgramInput[]): SizeBindings => {
  const bindings = new Map<string, { size: number; from: string }>();
  for (const { name, tensor } of expected) {
    const value = feeds[name];
    if (value === undefined) throw new MdetrError(`program "${program.name}" needs the input "${name}"`);
    bindShape(name, tensor, value, bindings);
  }
  checkFormulas(expected, bindings);
  return new Map(Array.from(bindings, ([key, { size }]) => [key, size]));
};

/** Values of symbolic sizes in the inputs of a run, by `dimKey`. */
export type SizeBindings = ReadonlyMap<string, number>;

/** Evaluates a size of an output from the sizes of the inputs; undefined if it does not follow from them. */
export const knownSize = (dim: Dim, sizes: SizeBindings): number | undefined => {
  if (typeof dim === 'number') return dim;
  const direct = sizes.get(dim.key);
  if (direct !== undefined) return direct;
  let total = 0;
  for (const { coefficient, atoms } of dim.terms) {
    const product = knownProduct(atoms, sizes);
    if (product === undefined) return undefined;
    total += coefficient * product;
  }
  return total;
};

/** Evaluates a product like the ONNX emitter: from an input whose size is that product, otherwise from its factors. */
const knownProduct = (atoms: readonly Atom[], sizes: SizeBindings): number | undefined => {
  const direct = atoms.length > 1 ? sizes.get(dimKey(new SymbolicDim([{ coefficient: 1, atoms }]))) : undefined;
  if (direct !== undefined) return direct;
  let product = 1;
  for (const atom of atoms) {
    const own = sizes.get(atom.key);
    const numerator = own === undefined && atom.kind === 'floorDiv' ? knownSize(atom.numerator, sizes) : undefined;
    if (atom.kind === 'floorDiv' && numerator !== undefined) product *= Math.floor(numerator / atom.denominator);
    else if (own === undefined) return undefined;
    else product *= own;
  }
  return product;
};
