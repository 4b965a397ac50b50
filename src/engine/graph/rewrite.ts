import { makeProgram, type NamedTensors, type Program } from './program.ts';
import { attachNode, Tensor, type OpNode } from './tensor.ts';

/**
 * Replaces ops of a program. `replace` is called for every op, operands before users, with its operands in the new program
 * and a function that applies the op to them unchanged; it returns the new outputs. Inputs, parameters and names stay, and
 * ops whose operands did not change are shared with the old program.
 */
export const rewriteProgram = <Inputs extends NamedTensors, Outputs extends NamedTensors>(
  program: Program<Inputs, Outputs>,
  replace: (node: OpNode, inputs: readonly Tensor[], keep: () => readonly Tensor[]) => readonly Tensor[],
): Program<Inputs, Outputs> => {
  const current = new Map<Tensor, Tensor>();
  const now = (tensor: Tensor): Tensor => current.get(tensor) ?? tensor;
  for (const node of program.nodes) {
    if (node.kind !== 'op') continue;
    const inputs = node.inputs.map(now);
    const keep = (): readonly Tensor[] =>
      inputs.every((tensor, index) => tensor === node.inputs[index]) ? node.outputs : applied(node, inputs);
    const outputs = replace(node, inputs, keep);
    node.outputs.forEach((output, index) => current.set(output, outputs[index]!));
  }
  const outputs = Object.fromEntries(Object.entries(program.outputs).map(([name, tensor]) => [name, now(tensor)]));
  const leaves = program.inputs.map(({ tensor }) => tensor).filter((tensor) => tensor.node.kind === 'input');
  return makeProgram(program.name, outputs, { alsoInputs: leaves }) as Program<Inputs, Outputs>;
};

/** The op of a node, applied to other tensors of the same shapes and types. */
const applied = ({ op, attrs, outputs }: OpNode, inputs: readonly Tensor[]): readonly Tensor[] => {
  const copies = outputs.map(({ shape, dtype }, index) => new Tensor(shape, dtype, index));
  attachNode({ kind: 'op', op, inputs, attrs, outputs: copies } satisfies Omit<OpNode, 'id'>);
  return copies;
};
