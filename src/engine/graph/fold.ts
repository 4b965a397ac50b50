import { isStatic, SymbolicDim } from './dim.ts';
import type { Program } from './program.ts';
import type { Node, Tensor } from './tensor.ts';

const hasSymbolicSize = (value: unknown): boolean =>
  value instanceof SymbolicDim || (Array.isArray(value) && value.some(hasSymbolicSize));

/**
 * Values of a program that depend only on parameters and are read by nodes that depend on inputs: transposed weights,
 * filters with folded batch norm. They are computed once, when the weights are loaded.
 */
export const parameterFrontier = (program: Program): readonly Tensor[] => {
  // Nodes that depend on parameters and constants only, and whether they read a parameter.
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
