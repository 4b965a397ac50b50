import {
  attachNode,
  Tensor,
  type Applied,
  type Gradients,
  type Op,
  type OpDeclaration,
  type OpNode,
  type TensorType,
} from './tensor.ts';

/** Thrown if the shapes or types of the inputs of an op do not fit each other. */
export class ShapeError extends Error {
  /** Name of the class. */
  override name = 'ShapeError';
  constructor(op: string, problem: string) {
    super(`${op}: ${problem}`);
  }
}

/** Declares an op with several outputs. Returns the function that applies it. */
export const defineMultiOp = <Inputs extends readonly Tensor[], Attrs extends object>(
  declaration: OpDeclaration<Inputs, Attrs>,
): ((inputs: Inputs, attrs: Attrs) => readonly Tensor[]) => {
  // Safe: the engine passes an op only the inputs and attributes that it was applied to.
  const op = declaration as unknown as Op;
  return (inputs, attrs) => {
    const outputs = declaration.infer(inputs, attrs).map(({ shape, dtype }, index) => new Tensor(shape, dtype, index));
    attachNode({ kind: 'op', op, inputs, attrs, outputs } satisfies Omit<OpNode, 'id'>);
    return outputs;
  };
};

/** Declares an op with one output. Returns the function that applies it. */
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
