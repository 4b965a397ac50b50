import type { DType, HostTensor } from './dtype.ts';
import { formatShape, isStatic, type Dim, type Shape } from './dim.ts';

/** Node of the graph: a leaf, or an applied op. */
export type Node = InputNode | ParameterNode | ConstantNode | OpNode;

/** Properties of all nodes of a graph. */
export interface NodeBase {
  /** Increases with creation, so that sorting by it gives a topological order. */
  readonly id: number;
  /** Tensors that the node computes. */
  readonly outputs: readonly Tensor[];
}

/** Value that every run of the program is fed. */
export interface InputNode extends NodeBase {
  /** Kind of node. */
  readonly kind: 'input';
  /** Name of the input. */
  readonly name: string;
}

/** Model parameter, named by its official `state_dict` key: an initializer at inference, an input in training. */
export interface ParameterNode extends NodeBase {
  /** Kind of node. */
  readonly kind: 'parameter';
  /** Name of the parameter: its official `state_dict` key. */
  readonly name: string;
}

/** Node of a value known when the graph is built. */
export interface ConstantNode extends NodeBase {
  /** Kind of node. */
  readonly kind: 'constant';
  /** The value. */
  readonly value: HostTensor;
}

/** Node of an op. */
export interface OpNode extends NodeBase {
  /** Kind of node. */
  readonly kind: 'op';
  /** The op. */
  readonly op: Op;
  /** Operands. */
  readonly inputs: readonly Tensor[];
  /** Attributes of the op. */
  readonly attrs: object;
}

/** Symbolic value of a known element type and shape. */
export class Tensor {
  /** Assigned once, by `attachNode`. */
  node!: Node;
  constructor(
    /** Sizes of the dimensions, integers or symbolic. */
    readonly shape: Shape,
    /** Element type. */
    readonly dtype: DType,
    /** Index among the outputs of its node. */
    readonly outputIndex = 0,
  ) {}
  /** Number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }
  /** Element type and shape as text. */
  toString(): string {
    return `${this.dtype}${formatShape(this.shape)}`;
  }
}

/** Shape and element type of a tensor. */
export interface TensorType {
  /** Sizes of the dimensions. */
  readonly shape: Shape;
  /** Element type. */
  readonly dtype: DType;
}

/** Type of a tensor, for declarations of program inputs. */
export const tensorType = (shape: Shape, dtype: DType = 'float32'): TensorType => ({ shape, dtype });

/** ONNX graph that ops write themselves into. Values are identified by name. */
export interface Emitter {
  /** Adds a node and returns the names of its outputs. */
  node(opType: string, inputs: readonly string[], attrs?: NodeAttributes, options?: NodeOptions): readonly string[];
  /** Name of a constant; equal constants are stored once. */
  int64s(values: readonly number[], shape?: readonly number[]): string;
  /** Name of a constant scalar. */
  scalar(value: number, dtype: DType): string;
  /** Name of an int64 vector with these sizes, computed at run time where they are symbolic. */
  dims(dims: readonly Dim[]): string;
  /** Name of an int64 scalar with this size. */
  dim(dim: Dim): string;
}

/** Value of an ONNX attribute. */
export type NodeAttribute =
  number | string | readonly number[] | { readonly float: number } | { readonly dtype: DType };
/** ONNX attributes by name. */
export type NodeAttributes = Readonly<Record<string, NodeAttribute>>;
/** Options of an ONNX node. */
export interface NodeOptions {
  /** Number of outputs. Default 1. */
  readonly outputs?: number;
  /** ONNX allows to omit trailing outputs; they are omitted if nothing reads them. */
  readonly optionalOutputs?: boolean;
  /** Operator domain. Default: that of ONNX. */
  readonly domain?: string;
}

/** Applied op as its gradient rule sees it. */
export interface Applied<Inputs extends readonly Tensor[], Attrs> {
  /** Input tensors. */
  readonly inputs: Inputs;
  /** Output tensors. */
  readonly outputs: readonly Tensor[];
  /** Attributes of the op. */
  readonly attrs: Attrs;
  /** Whether the gradient of an input is needed; rules may return `undefined` for other inputs to save work. */
  needs(inputIndex: number): boolean;
}

/** Gradient of each input; `undefined` if there is none or it is not needed. */
export type Gradients<Inputs extends readonly Tensor[]> = { readonly [K in keyof Inputs]: Tensor | undefined };

/** Vector-Jacobian product of an op; `'none'` for ops without a derivative (comparisons, index arithmetic). */
export type GradientRule<Inputs extends readonly Tensor[], Attrs> =
  'none' | ((cotangents: readonly (Tensor | undefined)[], applied: Applied<Inputs, Attrs>) => Gradients<Inputs>);

/** Declaration of an op: shapes, ONNX nodes and gradient. */
export interface OpDeclaration<Inputs extends readonly Tensor[], Attrs extends object> {
  /** Name of the op in messages and printed programs. */
  readonly name: string;
  /** Shapes and element types of the outputs. @throws {ShapeError} if the inputs do not fit each other */
  infer(inputs: Inputs, attrs: Attrs): readonly TensorType[];
  /** Writes the op into an ONNX graph and returns the names of its outputs. */
  emit(
    onnx: Emitter,
    inputs: readonly string[],
    applied: { inputs: Inputs; outputs: readonly Tensor[]; attrs: Attrs },
  ): readonly string[];
  /** Gradient: from the cotangents of the outputs to those of the inputs. */
  readonly vjp: GradientRule<Inputs, Attrs>;
  /**
   * Cheaper to recompute in the backward program than to save: element-wise ops, masks. A `view` is its only operand in
   * another shape and costs nothing.
   */
  readonly cheap: boolean | 'view';
}

/** Op as the engine sees it, with its input and attribute types erased. */
export type Op = OpDeclaration<readonly Tensor[], object>;

let nextId = 0;

/** Links a node and its output tensors. Called only by `define-op.ts` and the leaves below. */
export const attachNode = <N extends Omit<Node, 'id'>>(node: N): N & { readonly id: number } => {
  const withId = Object.assign(node, { id: nextId++ });
  for (const output of node.outputs) output.node = withId as unknown as Node;
  return withId;
};

/** Input of a program, fed at every run. Symbolic sizes in `shape` are bound by the fed value. */
export const input = (name: string, shape: Shape, dtype: DType = 'float32'): Tensor => {
  const tensor = new Tensor(shape, dtype);
  attachNode({ kind: 'input', name, outputs: [tensor] } satisfies Omit<InputNode, 'id'>);
  return tensor;
};

/** Parameter or buffer of the model, named by its `state_dict` key. */
export const parameter = (name: string, shape: readonly number[], dtype: DType = 'float32'): Tensor => {
  const tensor = new Tensor(shape, dtype);
  attachNode({ kind: 'parameter', name, outputs: [tensor] } satisfies Omit<ParameterNode, 'id'>);
  return tensor;
};

/** Constant of the graph. */
export const constant = (value: HostTensor): Tensor => {
  const count = value.shape.reduce((product, size) => product * size, 1);
  if (value.data.length !== count) {
    throw new Error(`internal: constant of shape [${value.shape.join(', ')}] got ${value.data.length} values`);
  }
  const tensor = new Tensor(value.shape, value.dtype);
  attachNode({ kind: 'constant', value, outputs: [tensor] } satisfies Omit<ConstantNode, 'id'>);
  return tensor;
};

/** Shape of a tensor whose sizes must be numbers (weights). */
export const staticShape = (tensor: Tensor): readonly number[] => {
  if (!isStatic(tensor.shape)) throw new Error(`internal: the sizes of ${tensor.toString()} must be numbers here`);
  return tensor.shape;
};
