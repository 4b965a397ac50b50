import type { DType } from './dtype.ts';
import type { Dim, Shape } from './dim.ts';
import { attachNode, Tensor, type OpNode } from './tensor.ts';

/** Element type and sizes of one result. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

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

/** The inputs of an op do not fit each other. */
export class ShapeError extends Error {
  override name = 'ShapeError';
  constructor(op: string, problem: string) {
    super(`${op}: ${problem}`);
  }
}

/** Declares an op with several results. The returned function applies it. */
export const defineMultiOp = <Inputs extends readonly Tensor[], Attrs extends object>(
  declaration: OpDeclaration<Inputs, Attrs>,
): ((inputs: Inputs, attrs: Attrs) => readonly Tensor[]) => {
  // The engine only hands an op back the inputs and attributes that it was applied to.
  const op = declaration as unknown as Op;
  return (inputs, attrs) => {
    const outputs = declaration.infer(inputs, attrs).map(({ shape, dtype }, index) => new Tensor(shape, dtype, index));
    attachNode({ kind: 'op', op, inputs, attrs, outputs } satisfies Omit<OpNode, 'id'>);
    return outputs;
  };
};

/** Declares an op with one result. */
export const defineOp = <Inputs extends readonly Tensor[], Attrs extends object>(
  declaration: Omit<OpDeclaration<Inputs, Attrs>, 'infer' | 'vjp'> & {
    infer(inputs: Inputs, attrs: Attrs): TensorType;
    vjp:
      | 'none'
      | ((cotangent: Tensor, applied: Applied<Inputs, Attrs> & { readonly output: Tensor }) => Gradients<Inputs>);
  },
): ((inputs: Inputs, attrs: Attrs) => Tensor) => {
  const { infer, vjp } = declaration;
  const apply = defineMultiOp<Inputs, Attrs>({
    ...declaration,
    infer: (inputs, attrs) => [infer(inputs, attrs)],
    vjp:
      vjp === 'none' ? 'none' : ([cotangent], applied) => vjp(cotangent!, { ...applied, output: applied.outputs[0]! }),
  });
  return (inputs, attrs) => apply(inputs, attrs)[0]!;
};
