import { SymbolicDim } from './dim.ts';
import type { Program } from './program.ts';
import type { Node, Tensor } from './tensor.ts';

const formatAttr = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(formatAttr).join(',')}]`;
  return typeof value === 'object' && value !== null && !(value instanceof SymbolicDim) ? '{…}' : String(value);
};

/** Formats a program as text, one line per node: `%7 = conv(%3, w) {strides=[2,2]} : float32[batch, 64, …]`. */
export const printProgram = (program: Program): string => {
  const names = new Map<Node, string>();
  let counter = 0;
  const nameOf = (tensor: Tensor): string => {
    const base = names.get(tensor.node) ?? '?';
    return tensor.node.outputs.length > 1 ? `${base}.${tensor.outputIndex}` : base;
  };
  const lines = [`program ${program.name}`];
  for (const node of program.nodes) {
    const types = node.outputs.map((output) => output.toString()).join(', ');
    switch (node.kind) {
      case 'input':
      case 'parameter':
        names.set(node, node.name);
        lines.push(`  ${node.kind} ${node.name} : ${types}`);
        break;
      case 'constant':
        names.set(node, `c${counter++}`);
        lines.push(
          `  ${names.get(node)!} = constant${node.value.data.length <= 8 ? ` {${Array.from<number | bigint>(node.value.data).join(', ')}}` : ''} : ${types}`,
        );
        break;
      case 'op': {
        names.set(node, `%${counter++}`);
        const attrs = Object.entries(node.attrs).map(([key, value]) => `${key}=${formatAttr(value)}`);
        lines.push(
          `  ${names.get(node)!} = ${node.op.name}(${node.inputs.map(nameOf).join(', ')})${attrs.length > 0 ? ` {${attrs.join(' ')}}` : ''} : ${types}`,
        );
      }
    }
  }
  for (const [name, tensor] of Object.entries(program.outputs)) lines.push(`  return ${name} = ${nameOf(tensor)}`);
  return lines.join('\n');
};
