import { makeProgram, reachableNodes, type Program } from './program.ts';
import type { Node, Tensor } from './tensor.ts';

/** A computation and its gradients, cut into two programs with the host between them. */
export interface ForwardBackward {
  /** Inputs and parameters → outputs and residuals. */
  readonly forward: Program;
  /** Inputs, parameters, residuals and the outputs' cotangents → gradients. */
  readonly backward: Program;
  /** Names of the forward program's outputs that only the backward program reads. */
  readonly residuals: readonly string[];
}

/**
 * Cuts a graph between forward values and gradients. A forward value that gradients read becomes a residual, unless
 * it can be computed again by cheap ops from values that are there anyway.
 *
 * @param outputs values that the host needs in between
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
  // The graph's own inputs come along, whether read or not: symbolic sizes may be known from them alone.
  const leaves = forward.inputs.map(({ tensor }) => tensor);
  return {
    forward,
    backward: makeProgram(`${name}-backward`, gradients, { given: residuals, alsoInputs: leaves }),
    residuals: Object.keys(residuals),
  };
};

const isLeaf = (node: Node): boolean => node.kind !== 'op';

/** Forward values that must be carried over. Dear ones that gradients read come first; cheap ones only where their operands are not there. */
const chooseResiduals = (forwardNodes: ReadonlySet<Node>, backwardNodes: readonly Node[]): ReadonlySet<Tensor> => {
  const read = new Set<Tensor>();
  for (const node of backwardNodes) {
    if (forwardNodes.has(node) || node.kind !== 'op') continue;
    for (const tensor of node.inputs) if (forwardNodes.has(tensor.node) && !isLeaf(tensor.node)) read.add(tensor);
  }
  const kept = new Set<Tensor>();
  for (const tensor of read) if (tensor.node.kind === 'op' && !tensor.node.op.cheap) kept.add(tensor);
  const memo = new Map<Tensor, boolean>();
  const isAvailable = (tensor: Tensor): boolean => {
    if (kept.has(tensor) || isLeaf(tensor.node)) return true;
    const known = memo.get(tensor);
    if (known !== undefined) return known;
    const available = tensor.node.kind === 'op' && tensor.node.op.cheap && tensor.node.inputs.every(isAvailable);
    memo.set(tensor, available);
    return available;
  };
  // In the order of computation, so that one kept value makes later ones available.
  for (const tensor of [...read].sort((a, b) => a.node.id - b.node.id)) {
    if (isAvailable(tensor)) continue;
    kept.add(tensor);
    memo.clear();
  }
  return kept;
};
