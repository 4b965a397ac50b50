import { makeProgram, reachableNodes, type Program } from './program.ts';
import type { Node, Tensor } from './tensor.ts';

/** Forward and backward program of a graph; between the two the host works with the outputs. */
export interface ForwardBackward {
  /** Inputs and parameters → outputs and residuals. */
  readonly forward: Program;
  /** Inputs, parameters, residuals and the cotangents of the outputs → gradients. */
  readonly backward: Program;
  /** Names of the forward program's outputs that only the backward program reads. */
  readonly residuals: readonly string[];
}

/**
 * Splits a graph into a forward and a backward program. Expensive values are saved for the backward program as
 * residuals; cheap ones are recomputed there if their operands are available.
 *
 * @param outputs values that the host reads between the two programs
 * @param gradients traced from the outputs by `sparseGradients`; may read anything of the forward graph
 */
export const partition = (
  name: string,
  outputs: Readonly<Record<string, Tensor>>,
  gradients: Readonly<Record<string, Tensor>>,
): ForwardBackward => {
  const forwardNodes = new Set(reachableNodes(Object.values(outputs)));
  const kept = chooseResiduals(forwardNodes, reachableNodes(Object.values(gradients)));
  const residuals = Object.fromEntries(
    [...kept].sort((a, b) => a.node.id - b.node.id).map((tensor, index) => [`residual${index}`, tensor]),
  );
  const forward = makeProgram(`${name}-forward`, { ...outputs, ...residuals });
  // All inputs of the forward program are inputs here too: some symbolic sizes can be read only from them.
  const leaves = forward.inputs.map(({ tensor }) => tensor);
  return {
    forward,
    backward: makeProgram(`${name}-backward`, gradients, { given: residuals, alsoInputs: leaves }),
    residuals: Object.keys(residuals),
  };
};

/**
 * Divides a program into pieces that run one after another: each computes the outputs of one group, and the values that later
 * pieces read from it, under names of their own. As in `partition`, expensive values are handed on and cheap ones recomputed.
 * A piece takes the leaves of the program, and those of its other inputs and of the values handed on that it reads.
 *
 * @param groups names of outputs; every output is in one of them
 */
export const divideProgram = (program: Program, groups: readonly (readonly string[])[]): readonly Program[] => {
  const leaves = program.inputs.flatMap(({ tensor }) => (isLeaf(tensor.node) ? [tensor] : []));
  const given = Object.fromEntries(
    program.inputs.filter(({ tensor }) => !isLeaf(tensor.node)).map(({ name, tensor }) => [name, tensor]),
  );
  return groups.map((names, index) => {
    const boundary = new Set(Object.values(given));
    const nodesOf = (outputNames: readonly string[]): Node[] =>
      reachableNodes(
        outputNames.map((name) => program.outputs[name]!),
        (tensor) => boundary.has(tensor),
      );
    const kept = chooseResiduals(new Set(nodesOf(names)), nodesOf(groups.slice(index + 1).flat()), boundary);
    const outputs = Object.fromEntries(names.map((name) => [name, program.outputs[name]!]));
    const handedOn = Object.fromEntries(
      [...kept].sort((a, b) => a.node.id - b.node.id).map((tensor, k) => [`piece${index}_${k}`, tensor]),
    );
    const all = { ...outputs, ...handedOn };
    // Values that only other pieces read are no inputs, so that their memory can be released.
    const read = new Set(Object.values(all));
    for (const node of nodesOf(names)) if (node.kind === 'op') node.inputs.forEach((tensor) => read.add(tensor));
    const used = Object.fromEntries(Object.entries(given).filter(([, tensor]) => read.has(tensor)));
    const piece = makeProgram(`${program.name}-${index + 1}`, all, { given: used, alsoInputs: leaves });
    Object.assign(given, handedOn);
    return piece;
  });
};

const isLeaf = (node: Node): boolean => node.kind !== 'op';

/**
 * Value that a view shows. Saving a view would copy it, once for every shape in which the gradients read it: ONNX Runtime
 * gives the outputs of a program memory of their own.
 */
const sourceOf = (tensor: Tensor): Tensor =>
  tensor.node.kind === 'op' && tensor.node.op.cheap === 'view' ? sourceOf(tensor.node.inputs[0]!) : tensor;

/** Forward values to save: expensive ones that gradients read, and cheap ones whose operands are not available. */
const chooseResiduals = (
  forwardNodes: ReadonlySet<Node>,
  backwardNodes: readonly Node[],
  given: ReadonlySet<Tensor> = new Set(),
): ReadonlySet<Tensor> => {
  const read = new Set<Tensor>();
  for (const node of backwardNodes) {
    if (forwardNodes.has(node) || node.kind !== 'op') continue;
    for (const operand of node.inputs) {
      const tensor = sourceOf(operand);
      if (forwardNodes.has(tensor.node) && !isLeaf(tensor.node)) read.add(tensor);
    }
  }
  const kept = new Set<Tensor>();
  for (const tensor of read) if (tensor.node.kind === 'op' && tensor.node.op.cheap === false) kept.add(tensor);
  const memo = new Map<Tensor, boolean>();
  const isAvailable = (tensor: Tensor): boolean => {
    if (kept.has(tensor) || given.has(tensor) || isLeaf(tensor.node)) return true;
    const known = memo.get(tensor);
    if (known !== undefined) return known;
    const available =
      tensor.node.kind === 'op' && tensor.node.op.cheap !== false && tensor.node.inputs.every(isAvailable);
    memo.set(tensor, available);
    return available;
  };
  // In topological order, since a saved value makes later ones available.
  for (const tensor of [...read].sort((a, b) => a.node.id - b.node.id)) {
    if (isAvailable(tensor)) continue;
    kept.add(tensor);
    memo.clear();
  }
  return kept;
};
