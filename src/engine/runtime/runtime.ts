import { MdetrError } from '../../errors.ts';
import type { DType, HostTensor } from '../graph/dtype.ts';
import { dimKey, evaluateDim, formatShape, SymbolicDim, type Atom, type Dim } from '../graph/dim.ts';
import type { NamedTensors, Program, ProgramInput } from '../graph/program.ts';
import type { Tensor } from '../graph/tensor.ts';

/** Where a program's weights come from. */
export interface WeightSource {
  /** Equal digests mean equal weights: the key under which compiled programs are kept. */
  readonly digest: string;
  /** The value of a parameter, contiguous and row-major. */
  read(name: string): Promise<HostTensor>;
}

export interface LoadOptions {
  /** With weights, parameters are part of the loaded program; without, they are inputs of every run. */
  readonly weights?: WeightSource;
}

export type Feeds = Readonly<Record<string, HostTensor>>;

/**
 * A result that stays where it was computed, to be handed to another program without a copy. Its memory is used again
 * after `release`; one that is never released is not lost, but costs new memory at the next run.
 */
export interface DeviceTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The numbers. Where the device computes in the host's memory they are read in place, and stay until `release`. */
  read(): Promise<HostTensor>;
  /** May be called again. A released value refuses to be read and to be fed. */
  release(): void;
}

/** Values by name, on the host or on the device. */
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
  readonly program: Program<Inputs, Outputs>;
  /** Runs the program; the results belong to the caller. */
  run(feeds: FeedsOf<Inputs>): Promise<ResultsOf<Outputs>>;
  /** Like `run`, but the results stay on the device; the caller releases each of them. */
  compute(feeds: FeedsOf<Inputs>): Promise<ResultsOf<Outputs, DeviceTensor>>;
  /** Frees the session's resources. A disposed session rejects further runs. */
  dispose(): Promise<void>;
}

/** Session of a program of the given type. */
export type SessionOf<P> = P extends Program<infer Inputs, infer Outputs> ? Session<Inputs, Outputs> : never;

/** Results of running a program of the given type. */
export type ProgramResults<P> = P extends Program<infer _, infer Outputs> ? ResultsOf<Outputs> : never;

/** Runs programs on a device. Code above this folder knows only this interface. */
export interface Runtime {
  readonly device: string;
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

/** Sizes that are formulas of others, as h·w + T of a joint sequence, where all the others are known. */
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
 * Checks that every input is there, of the right type, and that sizes of one name agree; returns the sizes. Throws
 * `MdetrError`.
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

/** The sizes that the inputs of a run have, by `dimKey`. */
export type SizeBindings = ReadonlyMap<string, number>;

/** What a size of a result is, given those of the inputs; undefined where they do not tell. */
export const knownSize = (dim: Dim, sizes: SizeBindings): number | undefined => {
  if (typeof dim === 'number') return dim;
  const whole = sizes.get(dim.key);
  if (whole !== undefined) return whole;
  let total = 0;
  for (const { coefficient, atoms } of dim.terms) {
    const product = knownProduct(atoms, sizes);
    if (product === undefined) return undefined;
    total += coefficient * product;
  }
  return total;
};

/** As the ONNX writer computes it: a product that an input has as a size, else the product of its factors. */
const knownProduct = (atoms: readonly Atom[], sizes: SizeBindings): number | undefined => {
  const whole = atoms.length > 1 ? sizes.get(dimKey(new SymbolicDim([{ coefficient: 1, atoms }]))) : undefined;
  if (whole !== undefined) return whole;
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
