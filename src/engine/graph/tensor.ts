import type { DType, HostTensor } from './dtype.ts';
import type { Op } from './define-op.ts';
import { formatShape, isStatic, type Shape } from './dim.ts';

/** Where a value of the graph comes from: a leaf, or the application of an op. */
export type Node = InputNode | ParameterNode | ConstantNode | OpNode;

interface NodeBase {
  /** Rises with creation, so sorting by it is a topological order. */
  readonly id: number;
  readonly outputs: readonly Tensor[];
}

/** Handed to the program at every run. */
export interface InputNode extends NodeBase {
  readonly kind: 'input';
  readonly name: string;
}

/** Named by its official `state_dict` key; an initialiser for inference, an input for training. */
export interface ParameterNode extends NodeBase {
  readonly kind: 'parameter';
  readonly name: string;
}

export interface ConstantNode extends NodeBase {
  readonly kind: 'constant';
  readonly value: HostTensor;
}

export interface OpNode extends NodeBase {
  readonly kind: 'op';
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly attrs: object;
}

/** A symbolic value: element type and sizes are known, numbers are not. */
export class Tensor {
  /** Assigned once by the node's constructor below. */
  node!: Node;
  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
    readonly outputIndex = 0,
  ) {}
  get rank(): number {
    return this.shape.length;
  }
  toString(): string {
    return `${this.dtype}${formatShape(this.shape)}`;
  }
}

let nextId = 0;

/** Joins a node and the tensors that it yields. Only `define-op.ts` and the leaves below call it. */
export const attachNode = <N extends Omit<Node, 'id'>>(node: N): N & { readonly id: number } => {
  const withId = Object.assign(node, { id: nextId++ });
  for (const output of node.outputs) output.node = withId as unknown as Node;
  return withId;
};

/** A value that the caller hands in at every run. Symbolic sizes in `shape` take their numbers from it. */
export const input = (name: string, shape: Shape, dtype: DType = 'float32'): Tensor => {
  const tensor = new Tensor(shape, dtype);
  attachNode({ kind: 'input', name, outputs: [tensor] } satisfies Omit<InputNode, 'id'>);
  return tensor;
};

/** A learned or fixed value of the model, named by its `state_dict` key. */
export const parameter = (name: string, shape: readonly number[], dtype: DType = 'float32'): Tensor => {
  const tensor = new Tensor(shape, dtype);
  attachNode({ kind: 'parameter', name, outputs: [tensor] } satisfies Omit<ParameterNode, 'id'>);
  return tensor;
};

/** A value fixed when the graph is built. */
export const constant = (value: HostTensor): Tensor => {
  const count = value.shape.reduce((product, size) => product * size, 1);
  if (value.data.length !== count) {
    throw new Error(`internal: constant of shape [${value.shape.join(', ')}] got ${value.data.length} values`);
  }
  const tensor = new Tensor(value.shape, value.dtype);
  attachNode({ kind: 'constant', value, outputs: [tensor] } satisfies Omit<ConstantNode, 'id'>);
  return tensor;
};

/** The sizes of a tensor that must be known when the graph is built (weights). */
export const staticShape = (tensor: Tensor): readonly number[] => {
  if (!isStatic(tensor.shape)) throw new Error(`internal: the sizes of ${tensor.toString()} must be numbers here`);
  return tensor.shape;
};
