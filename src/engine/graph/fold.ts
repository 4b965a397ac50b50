import { isStatic, SymbolicDim } from './dim.ts';
import type { Program } from './program.ts';
import type { Node, Tensor } from './tensor.ts';

const hasSymbolicSize = (value: unknown): boolean =>
  value instanceof SymbolicDim || (Array.isArray(value) && value.some(hasSymbolicSize));

/**
 * The values of a program that depend on parameters alone and are read by something that does not: transposed
 * weights, filters with the batch norm multiplied in. They can be computed once, when the weights are known.
 */
export const parameterFrontier = (program: Program): readonly Tensor[] => {
  // Of a node: whether it is fixed once parameters are, and whether it depends on one at all.
  const fixed = new Map<Node, { readonly readsParameter: boolean }>();
  for (const node of program.nodes) {
    if (node.kind === 'parameter') fixed.set(node, { readsParameter: true });
    else if (node.kind === 'constant') fixed.set(node, { readsParameter: false });
    else if (node.kind === 'op') {
      const operands = node.inputs.map((tensor) => fixed.get(tensor.node));
      const isFixed =
        operands.every((operand) => operand !== undefined) &&
        node.outputs.every((output) => isStatic(output.shape)) &&
        !Object.values(node.attrs).some(hasSymbolicSize);
      if (isFixed) fixed.set(node, { readsParameter: operands.some((operand) => operand.readsParameter) });
    }
  }
  const frontier = new Set<Tensor>();
  const collect = (tensor: Tensor): void => {
    if (fixed.get(tensor.node)?.readsParameter === true) frontier.add(tensor);
  };
  for (const node of program.nodes) if (node.kind === 'op' && !fixed.has(node)) node.inputs.forEach(collect);
  Object.values(program.outputs).forEach(collect);
  return [...frontier];
};
