import { dimKey, parseDim } from './dim.ts';
import type { DType } from './dtype.ts';
import { leafName, type Program } from './program.ts';
import { input, type Tensor } from './tensor.ts';

/** Name, element type and shape of an input or output; sizes that are known at run time only are formulas of names. */
export interface ValueSignature {
  /** Name of the input or output. */
  readonly name: string;
  /** Element type. */
  readonly dtype: DType;
  /** Sizes; symbolic ones by name. */
  readonly shape: readonly (number | string)[];
}

/** Inputs and outputs of a program. */
export interface ProgramSignature {
  /** Inputs in the order of the ONNX graph. */
  readonly inputs: readonly ValueSignature[];
  /** Outputs in the order of the ONNX graph. */
  readonly outputs: readonly ValueSignature[];
}

/** Describes the inputs and outputs of a program. */
export const signatureOf = (program: Program): ProgramSignature => ({
  inputs: program.inputs.map(({ name, tensor }) => valueSignature(name, tensor)),
  outputs: Object.entries(program.outputs).map(([name, tensor]) => valueSignature(name, tensor)),
});

const valueSignature = (name: string, { dtype, shape }: Tensor): ValueSignature => ({
  name,
  dtype,
  shape: shape.map((dim) => (typeof dim === 'number' ? dim : dimKey(dim))),
});

/**
 * A program whose computation is in a compiled file: it declares inputs and outputs, so that feeds are checked and results
 * have their types, but has no nodes.
 */
export const declareProgram = (name: string, { inputs, outputs }: ProgramSignature): Program => {
  const leafOf = ({ name: valueName, dtype, shape }: ValueSignature): Tensor =>
    input(
      valueName,
      shape.map((size) => (typeof size === 'number' ? size : parseDim(size))),
      dtype,
    );
  const leaves = inputs.map(leafOf);
  return {
    name,
    inputs: leaves.map((tensor) => ({ name: leafName(tensor), tensor })),
    parameters: [],
    outputs: Object.fromEntries(outputs.map((output) => [output.name, leafOf(output)])),
    nodes: [],
  };
};
