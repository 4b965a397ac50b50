import { MdetrError } from '../../errors.ts';
import type { HostTensor } from '../graph/dtype.ts';
import { dimKey, evaluateDim, formatShape, SymbolicDim, type Atom, type Dim } from '../graph/dim.ts';
import type { Program, ProgramInput } from '../graph/program.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { DeviceTensor, Values } from './runtime.ts';

/** Size of an input that is a formula of other sizes, such as h·w + T of a joint sequence. */
interface Formula {
  /** First input that has it. */
  readonly input: string;
  readonly dim: SymbolicDim;
  /** Symbols of the formula. */
  readonly symbols: readonly string[];
}

/** Checks what is fed to a program. What follows from the program alone is found once: a program runs thousands of times. */
export class FeedCheck {
  private readonly formulas: readonly Formula[];

  /** @param inputs inputs of the loaded program, with parameters that are fed */
  constructor(
    private readonly program: Program,
    private readonly inputs: readonly ProgramInput[],
  ) {
    const firsts = new Map<string, Formula>();
    for (const { name, tensor } of inputs)
      for (const dim of tensor.shape)
        if (typeof dim !== 'number' && !firsts.has(dim.key))
          firsts.set(dim.key, { input: name, dim, symbols: [...new Set(symbolsOf(dim))] });
    // A symbol is not a formula, and a formula cannot be checked if no input has the size of one of its symbols.
    this.formulas = [...firsts.values()].filter(
      ({ dim, symbols }) => symbols[0] !== dim.key && symbols.every((symbol) => firsts.has(symbol)),
    );
  }

  /**
   * Checks that every input is given with the right dtype and shape, and that equal symbolic sizes agree. Returns the sizes.
   *
   * @throws {MdetrError} naming the first input that does not fit
   */
  sizesOf(feeds: Values): SizeBindings {
    const sizes = new Map<string, number>();
    for (const { name, tensor } of this.inputs) {
      const value = feeds[name];
      if (value === undefined) throw new MdetrError(`program "${this.program.name}" needs the input "${name}"`);
      this.bindShape(name, tensor, value, sizes);
    }
    for (const { input, dim, symbols } of this.formulas) {
      const [size, bound] = [evaluateDim(dim, sizes), sizes.get(dim.key)!];
      if (size === bound) continue;
      const known = symbols.map((symbol) => `${symbol} = ${sizes.get(symbol)!}`).join(', ');
      throw new MdetrError(`input "${input}" has ${dim.key} = ${bound}, but with ${known} it must be ${size}`);
    }
    return sizes;
  }

  private bindShape(name: string, tensor: Tensor, value: HostTensor | DeviceTensor, sizes: Map<string, number>): void {
    if (value.dtype !== tensor.dtype || value.shape.length !== tensor.rank) throw misfit(name, tensor, value);
    const count = value.shape.reduce((product, size) => product * size, 1);
    if ('data' in value && value.data.length !== count)
      throw new MdetrError(`input "${name}" has ${value.data.length} values for shape [${value.shape.join(', ')}]`);
    tensor.shape.forEach((dim: Dim, axis) => {
      const size = value.shape[axis]!;
      if (typeof dim === 'number') {
        if (dim !== size) throw misfit(name, tensor, value);
        return;
      }
      const bound = sizes.get(dim.key);
      if (bound === undefined) sizes.set(dim.key, size);
      else if (bound !== size) {
        const first = this.inputs.find((other) => other.tensor.shape.some((own) => dimKey(own) === dim.key))!;
        throw new MdetrError(
          `input "${name}" has ${dim.key} = ${size}, but input "${first.name}" has ${dim.key} = ${bound}`,
        );
      }
    });
  }
}

const misfit = (name: string, { dtype, shape }: Tensor, value: HostTensor | DeviceTensor): MdetrError =>
  new MdetrError(
    `input "${name}" must be ${dtype}${formatShape(shape)}, got ${value.dtype}[${value.shape.join(', ')}]`,
  );

const symbolsOf = (dim: Dim): string[] =>
  typeof dim === 'number'
    ? []
    : dim.terms.flatMap(({ atoms }) =>
        atoms.flatMap((atom) => (atom.kind === 'symbol' ? [atom.name] : symbolsOf(atom.numerator))),
      );

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
