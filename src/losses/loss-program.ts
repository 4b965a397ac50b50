import {
  dimKey,
  input,
  makeProgram,
  symbolicDim,
  SymbolicDim,
  type Dim,
  type HostTensor,
  type Program,
  type Shape,
} from '../engine/graph/index.ts';
import { scalar, sparseGradients } from '../engine/ops/index.ts';
import { traceCriterion } from './criterion.ts';
import type { LossConfig } from './config.ts';
import type { Loss } from './loss.ts';
import { activeLosses } from './losses.ts';

/** The part of a training step between matching and the backward pass. */
export interface LossProgram {
  /**
   * Inputs: the model's outputs that are trained, by name, and those of `lossInputs`.
   * Outputs: `total` (scalar), `terms` (terms), and `d_<name>` for every name in `trainedOutputs`.
   */
  readonly program: Program;
  /** Names of the values in `terms`. */
  readonly termNames: readonly string[];
  /** The model's outputs that the total depends on. The program yields the derivative of the total for each. */
  readonly trainedOutputs: readonly string[];
}

/**
 * Traces the loss and its derivatives with respect to the model's outputs.
 *
 * @param shapes symbolic shapes of the model's outputs; outputs that no loss reads are ignored
 * @param losses the losses to compute: all that the config trains by default
 */
export const makeLossProgram = (
  config: LossConfig,
  shapes: Readonly<Record<string, Shape>>,
  losses: readonly Loss[] = activeLosses(config),
): LossProgram => {
  const plain = plainSizes();
  const outputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, input(name, shape.map(plain))]),
  );
  const { terms, termNames, total } = traceCriterion(config, outputs, losses);
  const names = Object.keys(outputs);
  const derivatives = sparseGradients([{ tensor: total, cotangent: scalar(1) }], Object.values(outputs));
  const trainedOutputs = names.filter((_, index) => derivatives[index] !== undefined);
  const program = makeProgram('loss', {
    total,
    terms,
    ...Object.fromEntries(
      names.flatMap((name, index) => (derivatives[index] === undefined ? [] : [[`d_${name}`, derivatives[index]]])),
    ),
  });
  return { program, termNames, trainedOutputs };
};

/**
 * Replaces computed dimensions by symbols. Dimensions that other programs compute from their inputs (a quarter of the
 * image's height) are inputs here; equal ones get the same symbol.
 */
const plainSizes = (): ((dim: Dim) => Dim) => {
  const names = new Map<string, Dim>();
  return (dim) => {
    if (typeof dim === 'number' || isSymbol(dim)) return dim;
    const key = dimKey(dim);
    const known = names.get(key) ?? symbolicDim(`output_size${names.size}`);
    names.set(key, known);
    return known;
  };
};

const isSymbol = ({ terms: [first, ...others] }: SymbolicDim): boolean =>
  others.length === 0 && first!.coefficient === 1 && first!.atoms.length === 1 && first!.atoms[0]!.kind === 'symbol';

/** Values of the loss program, by official name. */
export interface LossValues {
  /** Weighted sum of the terms. */
  readonly total: number;
  /** Value of each term before weighting, by official name. */
  readonly terms: Readonly<Record<string, number>>;
}

/** Reads `total` and `terms` from the results of a run. */
export const readLosses = (results: Readonly<Record<string, HostTensor>>, termNames: readonly string[]): LossValues => {
  const values = results['terms']!.data;
  return {
    total: Number(results['total']!.data[0]),
    terms: Object.fromEntries(termNames.map((name, index) => [name, Number(values[index])])),
  };
};
