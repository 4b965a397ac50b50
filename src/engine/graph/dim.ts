import { MdetrError } from '../../errors.ts';

/**
 * Size of an axis: a number, or a symbolic expression as convolution, concatenation and reshaping produce them.
 *
 * A symbolic size is kept in normal form: a polynomial with integer coefficients whose atoms are symbols and floor
 * divisions. Two sizes are equal if their normal forms are: `S - T` of a joint sequence with `S = h·w + T` equals `h·w`.
 */
export type Dim = number | SymbolicDim;

/** Sizes of the axes of a tensor, outermost first. */
export type Shape = readonly Dim[];

/** A symbol, or the floor division of a polynomial by an integer. */
export type Atom =
  | { readonly kind: 'symbol'; readonly key: string; readonly name: string }
  | { readonly kind: 'floorDiv'; readonly key: string; readonly numerator: SymbolicDim; readonly denominator: number };

/** Product `coefficient · atom · atom · …`, atoms sorted by key. */
export interface Term {
  /** Integer factor. */
  readonly coefficient: number;
  /** Factors; equal ones are repeated. */
  readonly atoms: readonly Atom[];
}

/** Polynomial over symbols and floor divisions, in a normal form. */
export class SymbolicDim {
  /** Equal keys mean equal sizes. */
  readonly key: string;
  constructor(
    /** Terms of the polynomial, sorted. */
    readonly terms: readonly Term[],
  ) {
    this.key = terms.map(termKey).join('+');
  }
  /** The polynomial as text, such as `h*w + L`. */
  toString(): string {
    return this.key;
  }
}

const monomialKey = (atoms: readonly Atom[]): string => atoms.map((atom) => atom.key).join('*');

const termKey = ({ coefficient, atoms }: Term): string =>
  atoms.length === 0
    ? String(coefficient)
    : coefficient === 1
      ? monomialKey(atoms)
      : `${coefficient}*${monomialKey(atoms)}`;

const termsOf = (dim: Dim): readonly Term[] =>
  typeof dim === 'number' ? (dim === 0 ? [] : [{ coefficient: dim, atoms: [] }]) : dim.terms;

const fromTerms = (terms: Iterable<Term>): Dim => {
  const byMonomial = new Map<string, Term>();
  for (const term of terms) {
    const key = monomialKey(term.atoms);
    const known = byMonomial.get(key);
    byMonomial.set(key, known ? { atoms: known.atoms, coefficient: known.coefficient + term.coefficient } : term);
  }
  const kept = [...byMonomial.entries()].filter(([, term]) => term.coefficient !== 0);
  // Terms are sorted by key, with the constant last.
  kept.sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : a > b ? 1 : 0));
  const sorted = kept.map(([, term]) => term);
  if (sorted.length === 0) return 0;
  if (sorted.length === 1 && sorted[0]!.atoms.length === 0) return sorted[0]!.coefficient;
  return new SymbolicDim(sorted);
};

/** Size that is known at run time only, named after what it counts ("batch", "height"). */
export const symbolicDim = (name: string): SymbolicDim => {
  // A name that looks like an expression would have that expression's key.
  if (!/^[A-Za-z_][\w.]*$/.test(name)) throw new Error(`internal: "${name}" is not a valid name of a size`);
  return new SymbolicDim([{ coefficient: 1, atoms: [{ kind: 'symbol', key: name, name }] }]);
};

/** Sum of dimensions. */
export const addDims = (...dims: readonly Dim[]): Dim => fromTerms(dims.flatMap(termsOf));

/** Dimension times an integer. */
export const scaleDim = (dim: Dim, factor: number): Dim =>
  fromTerms(termsOf(dim).map(({ coefficient, atoms }) => ({ coefficient: coefficient * factor, atoms })));

/** Difference of two dimensions. */
export const subDims = (a: Dim, b: Dim): Dim => addDims(a, scaleDim(b, -1));

/** Product of dimensions. */
export const mulDims = (...dims: readonly Dim[]): Dim =>
  dims.reduce<Dim>(
    (product, dim) =>
      fromTerms(
        termsOf(product).flatMap((left) =>
          termsOf(dim).map((right) => ({
            coefficient: left.coefficient * right.coefficient,
            atoms: [...left.atoms, ...right.atoms].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
          })),
        ),
      ),
    1,
  );

/** ⌊dim / divisor⌋ for a positive integer divisor. Multiples of the divisor are moved out of the division. */
export const floorDivDim = (dim: Dim, divisor: number): Dim => {
  if (!Number.isInteger(divisor) || divisor < 1)
    throw new Error(`internal: a size can be divided only by a positive integer, not by ${divisor}`);
  if (divisor === 1) return dim;
  if (typeof dim === 'number') return Math.floor(dim / divisor);
  const outside: Term[] = [];
  const inside: Term[] = [];
  for (const { coefficient, atoms } of dim.terms) {
    const whole = Math.floor(coefficient / divisor);
    const rest = coefficient - whole * divisor;
    if (whole !== 0) outside.push({ coefficient: whole, atoms });
    if (rest !== 0) inside.push({ coefficient: rest, atoms });
  }
  const numerator = fromTerms(inside);
  if (typeof numerator === 'number') return addDims(fromTerms(outside), Math.floor(numerator / divisor));
  const atom: Atom = { kind: 'floorDiv', key: `⌊(${numerator.key})/${divisor}⌋`, numerator, denominator: divisor };
  return addDims(fromTerms(outside), new SymbolicDim([{ coefficient: 1, atoms: [atom] }]));
};

/** Dimension divided by an integer, rounded up. */
export const ceilDivDim = (dim: Dim, divisor: number): Dim => floorDivDim(addDims(dim, divisor - 1), divisor);

/** Text that is equal for equal dimensions. */
export const dimKey = (dim: Dim): string => (typeof dim === 'number' ? String(dim) : dim.key);

/**
 * Reads a size that {@link dimKey} wrote, such as `h*w+tokens` or `⌊(height+31)/32⌋`.
 *
 * @throws {MdetrError} for a text that is no size
 */
export const parseDim = (text: string): Dim => {
  let at = 0;
  const fail = (): never => {
    throw new MdetrError(`"${text.slice(0, 100)}" is not a size: expected sums and products of names and numbers`);
  };
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const factor = (depth: number): Dim => {
    const number = take(/-?\d{1,9}/y);
    if (number !== undefined) return Number(number);
    const name = take(/[A-Za-z_][\w.]*/y);
    if (name !== undefined) return symbolicDim(name);
    if (take(/\u230a\(/y) === undefined || depth > MAX_NESTED_DIVISIONS) return fail();
    const numerator = sum(depth + 1);
    const divisor = take(/\)\/[1-9]\d{0,8}\u230b/y);
    return divisor === undefined ? fail() : floorDivDim(numerator, Number(divisor.slice(2, -1)));
  };
  const product = (depth: number): Dim => {
    const factors = [factor(depth)];
    while (take(/\*/y) !== undefined) factors.push(factor(depth));
    return mulDims(...factors);
  };
  const sum = (depth: number): Dim => {
    const terms = [product(depth)];
    while (take(/\+/y) !== undefined) terms.push(product(depth));
    return addDims(...terms);
  };
  if (text.length > MAX_DIM_LENGTH) fail();
  const dim = sum(0);
  return at === text.length ? dim : fail();
};

const MAX_DIM_LENGTH = 1000;
const MAX_NESTED_DIVISIONS = 16;

/** Whether two dimensions are equal for all values of their symbols. */
export const dimsEqual = (a: Dim, b: Dim): boolean => dimKey(a) === dimKey(b);

/** Whether two shapes are equal for all values of their symbols. */
export const shapesEqual = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, axis) => dimsEqual(dim, b[axis]!));

/** Number of elements of a shape. */
export const sizeOf = (shape: Shape): Dim => mulDims(...shape);

/** Whether all dimensions of a shape are integers. */
export const isStatic = (shape: Shape): shape is readonly number[] => shape.every((dim) => typeof dim === 'number');

/** Text of a shape for messages, such as `[B, 256]`. */
export const formatShape = (shape: Shape): string => `[${shape.map(dimKey).join(', ')}]`;

/** Value of a size, given those of its symbols. Throws if a symbol has no value. */
export const evaluateDim = (dim: Dim, bindings: ReadonlyMap<string, number>): number => {
  if (typeof dim === 'number') return dim;
  let total = 0;
  for (const { coefficient, atoms } of dim.terms) {
    let product = coefficient;
    for (const atom of atoms) {
      if (atom.kind === 'floorDiv') product *= Math.floor(evaluateDim(atom.numerator, bindings) / atom.denominator);
      else {
        const value = bindings.get(atom.name);
        if (value === undefined) throw new Error(`internal: size "${atom.name}" has no value`);
        product *= value;
      }
    }
    total += product;
  }
  return total;
};
