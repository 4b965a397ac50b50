import type { DType, HostTensor } from './dtype.ts';
import { formatShape, isStatic, type Dim, type Shape } from './dim.ts';

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

/** Shape and element type of a tensor. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Type of a tensor, for declarations of program inputs. */
export const tensorType = (shape: Shape, dtype: DType = 'float32'): TensorType => ({ shape, dtype });

/** What an op may ask of the program that it is written into. Values are named by strings. */
export interface Emitter {
  /** Adds a node and returns the names of its results. */
  node(opType: string, inputs: readonly string[], attrs?: NodeAttributes, options?: NodeOptions): readonly string[];
  /** The name of a constant; equal constants are stored once. */
  int64s(values: readonly number[], shape?: readonly number[]): string;
  scalar(value: number, dtype: DType): string;
  /** A one-dimensional int64 value holding these sizes, computed at run time where they are symbolic. */
  dims(dims: readonly Dim[]): string;
  /** A scalar int64 value holding one size. */
  dim(dim: Dim): string;
}

export type NodeAttribute =
  number | string | readonly number[] | { readonly float: number } | { readonly dtype: DType };
export type NodeAttributes = Readonly<Record<string, NodeAttribute>>;
export interface NodeOptions {
  readonly outputs?: number;
  /** ONNX lets trailing results be left out; the writer does so where nothing reads them. */
  readonly optionalOutputs?: boolean;
  readonly domain?: string;
}

/** The view of an applied op that its gradient rule sees. */
export interface Applied<Inputs extends readonly Tensor[], Attrs> {
  readonly inputs: Inputs;
  readonly outputs: readonly Tensor[];
  readonly attrs: Attrs;
  /** Whether a gradient is wanted for the input; rules may return `undefined` for the others to save work. */
  needs(inputIndex: number): boolean;
}

/** One gradient for each input; `undefined` where there is none or it was not asked for. */
export type Gradients<Inputs extends readonly Tensor[]> = { readonly [K in keyof Inputs]: Tensor | undefined };

/** How a cotangent flows through an op. `'none'` for ops without derivative (comparisons, index arithmetic). */
export type GradientRule<Inputs extends readonly Tensor[], Attrs> =
  'none' | ((cotangents: readonly (Tensor | undefined)[], applied: Applied<Inputs, Attrs>) => Gradients<Inputs>);

export interface OpDeclaration<Inputs extends readonly Tensor[], Attrs extends object> {
  readonly name: string;
  /** Sizes and element types of the results; throws `ShapeError` when the inputs do not fit. */
  infer(inputs: Inputs, attrs: Attrs): readonly TensorType[];
  /** Writes the op into an ONNX graph; returns the names of the results. */
  emit(
    onnx: Emitter,
    inputs: readonly string[],
    applied: { inputs: Inputs; outputs: readonly Tensor[]; attrs: Attrs },
  ): readonly string[];
  readonly vjp: GradientRule<Inputs, Attrs>;
  /** Cheaper to compute again in a backward program than to carry over: element-wise work, views, masks. */
  readonly cheap: boolean;
}

/** A declared op as the engine sees it, whatever its inputs and attributes. */
export type Op = OpDeclaration<readonly Tensor[], object>;

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
