import { dimKey, type Dim } from './dim.ts';
import {
  input,
  type InputNode,
  type Node,
  type OpNode,
  type ParameterNode,
  type Tensor,
  type TensorType,
} from './tensor.ts';

/** Named input of a program. */
export interface ProgramInput {
  /** Name under which a run feeds it. */
  readonly name: string;
  /** Tensor of the graph. */
  readonly tensor: Tensor;
}

/** Tensors by name; `undefined` for those that a config leaves out. */
export type NamedTensors = Readonly<Record<string, Tensor | undefined>>;

/**
 * A traced computation with named inputs and outputs. `Inputs` and `Outputs` are the tensors by name; sessions derive
 * the types of their feeds and results from them.
 */
export interface Program<Inputs extends NamedTensors = NamedTensors, Outputs extends NamedTensors = NamedTensors> {
  /** Name in messages and in the program cache. */
  readonly name: string;
  /** Values that every run takes: inputs of the graph, and intermediate values that another program computed. */
  readonly inputs: readonly ProgramInput[];
  /** Parameters that the outputs depend on. */
  readonly parameters: readonly Tensor[];
  /** Output tensors by name. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Nodes that the outputs depend on, operands before users. */
  readonly nodes: readonly Node[];
  /** Exists in types only. */
  readonly signature?: { readonly inputs: Inputs; readonly outputs: Outputs };
}

/** Nodes that the given tensors depend on, operands before users. */
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

/** Name of an input or parameter. @throws {Error} for other tensors */
export const leafName = (tensor: Tensor): string => {
  const { node } = tensor;
  if (node.kind !== 'input' && node.kind !== 'parameter')
    throw new Error('internal: only inputs and parameters have names');
  return node.name;
};

/** Declared inputs as the tensors that a trace function gets. */
export type InputTensors<Specs> = {
  readonly [Name in keyof Specs]: undefined extends Specs[Name] ? Tensor | undefined : Tensor;
};

/** Makes an input of every declared one, under its name. Those declared as `undefined` are left out. */
export const declareInputs = <const Specs extends Readonly<Record<string, TensorType | undefined>>>(
  specs: Specs,
): InputTensors<Specs> =>
  Object.fromEntries(
    Object.entries(specs).flatMap(([name, spec]) =>
      spec === undefined ? [] : [[name, input(name, spec.shape, spec.dtype)]],
    ),
  ) as InputTensors<Specs>;

/**
 * Defines a program by its inputs and a function that computes its outputs from them. Outputs that are `undefined` are
 * left out. The names are part of the program's type: feeding or reading another one does not compile.
 *
 * ```ts
 * const double = defineProgram({
 *   name: 'double',
 *   inputs: { x: tensorType([symbolicDim('n')]) },
 *   trace: ({ x }) => ({ y: mul(x, 2) }),
 * });
 * const { y } = await (await runtime.load(double)).run({ x: float32Tensor([2], [1, 2]) });
 * ```
 */
export const defineProgram = <
  const Specs extends Readonly<Record<string, TensorType | undefined>>,
  Outputs extends { readonly [Name in keyof Outputs]: Tensor | undefined },
>(definition: {
  readonly name: string;
  readonly inputs: Specs;
  readonly trace: (inputs: InputTensors<Specs>) => Outputs;
}): Program<InputTensors<Specs>, { readonly [Name in keyof Outputs]: Outputs[Name] }> => {
  const outputs = definition.trace(declareInputs(definition.inputs));
  return makeProgram(definition.name, { ...outputs }) as Program<never, never>;
};

/**
 * Collects the nodes that the outputs depend on into a program; outputs that are `undefined` are left out. `given`
 * values are not computed but fed under their names. `alsoInputs` become inputs although no output depends on them,
 * since symbolic sizes may be read from them.
 */
export const makeProgram = (
  name: string,
  namedOutputs: NamedTensors,
  options: { readonly alsoInputs?: readonly Tensor[]; readonly given?: Readonly<Record<string, Tensor>> } = {},
): Program => {
  const outputs = definedTensors(namedOutputs);
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

/** The tensors that are not `undefined`. */
export const definedTensors = (tensors: NamedTensors): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(Object.entries(tensors).filter((entry): entry is [string, Tensor] => entry[1] !== undefined));

/** An input of the program with an axis of the given size, from which the size can be read at run time. */
export const findDim = (program: Program, dim: Dim): { readonly input: Tensor; readonly axis: number } | undefined => {
  const key = dimKey(dim);
  for (const { tensor } of program.inputs) {
    const axis = tensor.shape.findIndex((candidate) => dimKey(candidate) === key);
    if (axis >= 0) return { input: tensor, axis };
  }
  return undefined;
};

/** Number of nodes by op name, for reports and tests. */
export const countOps = (program: Program): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const node of program.nodes) {
    if (node.kind === 'op') counts.set(node.op.name, (counts.get(node.op.name) ?? 0) + 1);
  }
  return counts;
};

/** Op nodes of a program, operands before users. */
export const opNodes = (program: Program): OpNode[] =>
  program.nodes.filter((node): node is OpNode => node.kind === 'op');
