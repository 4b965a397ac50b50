import { evaluateDim, staticShape, type Program } from '../src/engine/graph/index.ts';
import { isConv } from '../src/engine/ops/index.ts';

/** Floating-point operations of a program's convolutions for sizes of its inputs; a multiplication and an addition count as two. */
export const convolutionFlops = (program: Program, sizes: Readonly<Record<string, number>>): number => {
  const bindings = new Map(Object.entries(sizes));
  let total = 0;
  for (const node of program.nodes) {
    if (!isConv(node)) continue;
    const [, inputs, kernelHeight, kernelWidth] = staticShape(node.inputs[1]!) as [number, number, number, number];
    const outputs = node.outputs[0]!.shape.reduce<number>((product, dim) => product * evaluateDim(dim, bindings), 1);
    total += 2 * outputs * inputs * kernelHeight * kernelWidth;
  }
  return total;
};
