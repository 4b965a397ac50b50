import { MdetrError } from '../errors.ts';
import type { HostTensor } from '../graph/dtype.ts';
import { dimKey, evaluateDim, formatShape, type Dim } from '../graph/dim.ts';
import type { Program, ProgramInput } from '../graph/program.ts';
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

/** A program that is ready to run. */
export interface Session {
  readonly program: Program;
  /** Runs the program on the given inputs; the results belong to the caller. */
  run(feeds: Feeds): Promise<Record<string, HostTensor>>;
  /** Frees what the session holds. A disposed session refuses to run. */
  dispose(): Promise<void>;
}

/** An engine that runs programs on a device. All of the package above this folder knows only this interface. */
export interface Runtime {
  readonly device: string;
  load(program: Program, options?: LoadOptions): Promise<Session>;
}

const bindShape = (
  name: string,
  tensor: Tensor,
  value: HostTensor,
  bindings: Map<string, { size: number; from: string }>,
): void => {
  const expected = `${tensor.dtype}${formatShape(tensor.shape)}`;
  const got = `${value.dtype}[${value.shape.join(', ')}]`;
  const fits = value.dtype === tensor.dtype && value.shape.length === tensor.rank;
  if (!fits) throw new MdetrError(`input "${name}" must be ${expected}, got ${got}`);
  const count = value.shape.reduce((product, size) => product * size, 1);
  if (value.data.length !== count)
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

/** Checks that every input is there, of the right type, and that sizes of one name agree. Throws `MdetrError`. */
export const checkFeeds = (program: Program, feeds: Feeds, expected: readonly ProgramInput[]): void => {
  const bindings = new Map<string, { size: number; from: string }>();
  for (const { name, tensor } of expected) {
    const value = feeds[name];
    if (value === undefined) throw new MdetrError(`program "${program.name}" needs the input "${name}"`);
    bindShape(name, tensor, value, bindings);
  }
  checkFormulas(expected, bindings);
};
