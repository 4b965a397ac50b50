import { dimKey, type Dim } from './dim.ts';
import type { InputNode, Node, OpNode, ParameterNode, Tensor } from './tensor.ts';

/** A value that a program is given under a name. */
export interface ProgramInput {
  readonly name: string;
  readonly tensor: Tensor;
}

/** A traced computation: what goes in by name, what comes out by name. */
export interface Program {
  readonly name: string;
  /** Handed in at every run: inputs of the graph, and values in its middle that another program computed. */
  readonly inputs: readonly ProgramInput[];
  readonly parameters: readonly Tensor[];
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Every node that the outputs need, operands first. */
  readonly nodes: readonly Node[];
}

/** All nodes that the given tensors depend on, operands before users. */
export const reachableNodes = (roots: Iterable<Tensor>, isBoundary?: (tensor: Tensor) => boolean): Node[] => {
  const seen = new Set<Node>();
  const pending: Node[] = [];
  const visit = (tensor: Tensor): void => {
    if (isBoundary?.(tensor) === true || seen.has(tensor.node)) return;
    seen.add(tensor.node);
    pending.push(tensor.node);
  };
  for (const root of roots) visit(root);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.kind === 'op') node.inputs.forEach(visit);
  }
  return [...seen].sort((a, b) => a.id - b.id);
};

const leafTensors = (nodes: readonly Node[], kind: 'input' | 'parameter'): Tensor[] =>
  nodes.filter((node): node is InputNode | ParameterNode => node.kind === kind).map((node) => node.outputs[0]!);

export const leafName = (tensor: Tensor): string => {
  const { node } = tensor;
  if (node.kind !== 'input' && node.kind !== 'parameter')
    throw new Error('internal: only inputs and parameters have names');
  return node.name;
};

/**
 * Collects what the outputs need into a program. `given` values are not computed but handed in under their names.
 * `alsoInputs` shall be part of the signature although no output reads them (their sizes may still be read).
 */
export const makeProgram = (
  name: string,
  outputs: Readonly<Record<string, Tensor>>,
  options: { readonly alsoInputs?: readonly Tensor[]; readonly given?: Readonly<Record<string, Tensor>> } = {},
): Program => {
  const given = Object.entries(options.given ?? {}).map(([inputName, tensor]): ProgramInput => ({
    name: inputName,
    tensor,
  }));
  const boundary = new Set(given.map(({ tensor }) => tensor));
  const nodes = reachableNodes([...Object.values(outputs), ...(options.alsoInputs ?? [])], (tensor) =>
    boundary.has(tensor),
  );
  const leaves = leafTensors(nodes, 'input').map((tensor): ProgramInput => ({ name: leafName(tensor), tensor }));
  const parameters = leafTensors(nodes, 'parameter');
  const inputs = [...leaves, ...given];
  const names = new Set<string>();
  for (const taken of [...inputs.map((entry) => entry.name), ...parameters.map(leafName), ...Object.keys(outputs)]) {
    if (names.has(taken)) throw new Error(`internal: program "${name}" uses the name "${taken}" twice`);
    names.add(taken);
  }
  return { name, inputs, parameters, outputs, nodes };
};

/** Where a program can read a size at run time: axis `axis` of one of its inputs. */
export const findDim = (program: Program, dim: Dim): { readonly input: Tensor; readonly axis: number } | undefined => {
  const key = dimKey(dim);
  for (const { tensor } of program.inputs) {
    const axis = tensor.shape.findIndex((candidate) => dimKey(candidate) === key);
    if (axis >= 0) return { input: tensor, axis };
  }
  return undefined;
};

/** Counts how often each op occurs; for reports and tests. */
export const countOps = (program: Program): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const node of program.nodes) {
    if (node.kind === 'op') counts.set(node.op.name, (counts.get(node.op.name) ?? 0) + 1);
  }
  return counts;
};

export const opNodes = (program: Program): OpNode[] =>
  program.nodes.filter((node): node is OpNode => node.kind === 'op');
