import { defineOp } from '../graph/define-op.ts';
import { type Applied, type Gradients, type Node, type Tensor } from '../graph/tensor.ts';
import { isFloat, type DType } from '../graph/dtype.ts';
import { broadcastShapes, requireBool, requireSameType } from './broadcast.ts';
import { scalar } from './constant.ts';

const RELU = 'relu';

type UnaryRule = (dy: Tensor, applied: Applied<[x: Tensor], object> & { readonly output: Tensor }) => Tensor;

/** Declares a unary op; `onnxName` is its ONNX operator. */
const defineUnary = (name: string, onnxName: string, gradient: UnaryRule | 'none'): ((x: Tensor) => Tensor) => {
  const apply = defineOp<[x: Tensor], object>({
    name,
    cheap: true,
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    emit: (onnx, inputs) => onnx.node(onnxName, inputs),
    vjp: gradient === 'none' ? 'none' : (dy, applied) => [gradient(dy, applied)],
  });
  return (x) => apply([x], {});
};

type BinaryRule = (
  dy: Tensor,
  applied: Applied<[a: Tensor, b: Tensor], object> & { readonly output: Tensor },
) => Gradients<[a: Tensor, b: Tensor]>;

/**
 * Declares a binary op whose operands broadcast. Its rule returns gradients in the shape of the output;
 * `gradient.ts` sums them to the shapes of the operands.
 */
const defineBinary = (
  name: string,
  onnxName: string,
  gradient: BinaryRule | 'none',
  result?: DType,
): ((a: Tensor, b: Tensor | number) => Tensor) => {
  const apply = defineOp<[a: Tensor, b: Tensor], object>({
    name,
    cheap: true,
    infer([a, b]) {
      requireSameType(name, a, b);
      return { shape: broadcastShapes(name, a.shape, b.shape), dtype: result ?? a.dtype };
    },
    emit: (onnx, inputs) => onnx.node(onnxName, inputs),
    vjp: gradient,
  });
  return (a, b) => apply([a, typeof b === 'number' ? scalar(b, a.dtype) : b], {});
};

/** Sum of two tensors, broadcast against each other. */
export const add = defineBinary('add', 'Add', (dy) => [dy, dy]);
/** Difference of two tensors, broadcast against each other. */
export const sub = defineBinary('sub', 'Sub', (dy) => [dy, neg(dy)]);
/** Product of two tensors, broadcast against each other. */
export const mul: (a: Tensor, b: Tensor | number) => Tensor = defineBinary(
  'mul',
  'Mul',
  (dy, { inputs: [a, b], needs }) => [needs(0) ? mul(dy, b) : undefined, needs(1) ? mul(dy, a) : undefined],
);
/** Quotient of two tensors, broadcast against each other. */
export const div: (a: Tensor, b: Tensor | number) => Tensor = defineBinary(
  'div',
  'Div',
  (dy, { inputs: [, b], output, needs }) => [
    needs(0) ? div(dy, b) : undefined,
    // d(a/b)/db = −(a/b)/b
    needs(1) ? neg(div(mul(dy, output), b)) : undefined,
  ],
);

/** At ties each operand gets half of dy, as in PyTorch. */
const extremumGradient =
  (wins: (a: Tensor, b: Tensor) => Tensor): BinaryRule =>
  (dy, { inputs: [a, b] }) => {
    const half = mul(dy, cast(equal(a, b), dy.dtype));
    const tie = mul(half, 0.5);
    return [add(mul(dy, cast(wins(a, b), dy.dtype)), tie), add(mul(dy, cast(wins(b, a), dy.dtype)), tie)];
  };
/** Larger one of two elements; inputs are broadcast against each other. */
export const maximum: (a: Tensor, b: Tensor | number) => Tensor = defineBinary(
  'maximum',
  'Max',
  extremumGradient((a, b) => greater(a, b)),
);
/** Smaller one of two elements; inputs are broadcast against each other. */
export const minimum: (a: Tensor, b: Tensor | number) => Tensor = defineBinary(
  'minimum',
  'Min',
  extremumGradient((a, b) => less(a, b)),
);

/** Whether elements are equal, as a bool tensor; inputs are broadcast against each other. */
export const equal = defineBinary('equal', 'Equal', 'none', 'bool');
/** Whether a < b, as a bool tensor; inputs are broadcast against each other. */
export const less = defineBinary('less', 'Less', 'none', 'bool');
/** Whether a ≤ b, as a bool tensor; inputs are broadcast against each other. */
export const lessEqual = defineBinary('lessEqual', 'LessOrEqual', 'none', 'bool');
/** Whether a > b, as a bool tensor; inputs are broadcast against each other. */
export const greater = defineBinary('greater', 'Greater', 'none', 'bool');
/** Whether a ≥ b, as a bool tensor; inputs are broadcast against each other. */
export const greaterEqual = defineBinary('greaterEqual', 'GreaterOrEqual', 'none', 'bool');

/** Declares a binary op on bool tensors that broadcast. */
const defineLogic = (name: string, onnxName: string): ((a: Tensor, b: Tensor) => Tensor) => {
  const apply = defineBinary(name, onnxName, 'none');
  return (a, b) => {
    requireBool(name, a);
    return apply(a, b);
  };
};
/** Logical AND of two bool tensors, broadcast against each other. */
export const and = defineLogic('and', 'And');
/** Logical OR of two bool tensors, broadcast against each other. */
export const or = defineLogic('or', 'Or');
/** Logical NOT of each element of a bool tensor. */
export const not = (x: Tensor): Tensor => {
  requireBool('not', x);
  return notOp(x);
};
const notOp = defineUnary('not', 'Not', 'none');

/** Bitwise exclusive or of integers; used by the counter-based random generator. */
export const bitXor = defineBinary('bitXor', 'BitwiseXor', 'none');

/** Bits of each uint32 element shifted to the right. */
export const shiftRight = (x: Tensor, bits: number): Tensor => shiftRightOp([x, scalar(bits, x.dtype)], {});

const shiftRightOp = defineOp<[x: Tensor, bits: Tensor], object>({
  name: 'shiftRight',
  cheap: true,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit: (onnx, inputs) => onnx.node('BitShift', inputs, { direction: 'RIGHT' }),
  vjp: 'none',
});

/** Each element negated. */
export const neg: (x: Tensor) => Tensor = defineUnary('neg', 'Neg', (dy) => neg(dy));
/** Exponential of each element. */
export const exp: (x: Tensor) => Tensor = defineUnary('exp', 'Exp', (dy, { output }) => mul(dy, output));
/** Natural logarithm of each element. */
export const log: (x: Tensor) => Tensor = defineUnary('log', 'Log', (dy, { inputs: [x] }) => div(dy, x));
/** Square root of each element. */
export const sqrt: (x: Tensor) => Tensor = defineUnary('sqrt', 'Sqrt', (dy, { output }) => div(mul(dy, 0.5), output));
/** 1 / x for each element. */
export const reciprocal: (x: Tensor) => Tensor = defineUnary('reciprocal', 'Reciprocal', (dy, { output }) =>
  neg(mul(dy, mul(output, output))),
);
/** The derivative at 0 is 0, as in PyTorch. */
export const abs: (x: Tensor) => Tensor = defineUnary('abs', 'Abs', (dy, { inputs: [x] }) => mul(dy, sign(x)));
/** -1, 0 or 1 for each element. */
export const sign = defineUnary('sign', 'Sign', 'none');
/** Each element rounded down. */
export const floor = defineUnary('floor', 'Floor', 'none');
/** Sine of each element. */
export const sin: (x: Tensor) => Tensor = defineUnary('sin', 'Sin', (dy, { inputs: [x] }) => mul(dy, cos(x)));
/** Cosine of each element. */
export const cos: (x: Tensor) => Tensor = defineUnary('cos', 'Cos', (dy, { inputs: [x] }) => neg(mul(dy, sin(x))));
/** Hyperbolic tangent of each element. */
export const tanh: (x: Tensor) => Tensor = defineUnary('tanh', 'Tanh', (dy, { output }) =>
  mul(dy, sub(scalar(1, dy.dtype), mul(output, output))),
);
/** Logistic function of each element. */
export const sigmoid: (x: Tensor) => Tensor = defineUnary('sigmoid', 'Sigmoid', (dy, { output }) =>
  mul(dy, mul(output, sub(scalar(1, dy.dtype), output))),
);
/** The derivative at 0 is 0. Casts to bool and back make its mask in two thirds of the time of a comparison and a cast. */
export const relu: (x: Tensor) => Tensor = defineUnary(RELU, 'Relu', (dy, { output }) =>
  mul(dy, cast(cast(output, 'bool'), dy.dtype)),
);
/** Whether a node is a ReLU. */
export const isRelu = (node: Node): boolean => node.kind === 'op' && node.op.name === RELU;
/** Error function of each element. */
export const erf: (x: Tensor) => Tensor = defineUnary('erf', 'Erf', (dy, { inputs: [x] }) =>
  mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
);
/** log(1 + eˣ), without overflow. */
export const softplus: (x: Tensor) => Tensor = defineUnary('softplus', 'Softplus', (dy, { inputs: [x] }) =>
  mul(dy, sigmoid(x)),
);

/** GELU, x · Φ(x), in its exact form with erf, as in RoBERTa (arXiv:1606.08415). */
export const gelu: (x: Tensor) => Tensor = defineUnary('gelu', 'Gelu', (dy, { inputs: [x] }) => {
  // Φ(x) + x·φ(x)
  const cdf = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
  const pdf = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return mul(dy, add(cdf, mul(x, pdf)));
});

/** SiLU, x · sigmoid(x). */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));
/** Square of each element. */
export const square = (x: Tensor): Tensor => mul(x, x);
/** 1 / √x for each element. */
export const rsqrt = (x: Tensor): Tensor => reciprocal(sqrt(x));

/** Clamps x to [low, high]; dy passes inside and on the bounds. */
export const clamp = (x: Tensor, low: number, high: number): Tensor =>
  where(less(x, low), scalar(low, x.dtype), where(greater(x, high), scalar(high, x.dtype), x));

/** Casts to another element type. Only casts between float types have a gradient. */
export const cast = (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : castOp([x], { dtype }));

const castOp = defineOp<[x: Tensor], { readonly dtype: DType }>({
  name: 'cast',
  cheap: true,
  infer: ([x], { dtype }) => ({ shape: x.shape, dtype }),
  emit: (onnx, inputs, { attrs }) => onnx.node('Cast', inputs, { to: { dtype: attrs.dtype } }),
  vjp: (dy, { inputs: [x] }) => [isFloat(x.dtype) && isFloat(dy.dtype) ? cast(dy, x.dtype) : undefined],
});

/** `yes` where the condition is true, `no` elsewhere; all three broadcast. */
export const where = (condition: Tensor, yes: Tensor | number, no: Tensor | number): Tensor => {
  const dtype = typeof yes === 'number' ? (typeof no === 'number' ? 'float32' : no.dtype) : yes.dtype;
  const lift = (value: Tensor | number): Tensor => (typeof value === 'number' ? scalar(value, dtype) : value);
  return whereOp([condition, lift(yes), lift(no)], {});
};

const whereOp = defineOp<[condition: Tensor, yes: Tensor, no: Tensor], object>({
  name: 'where',
  cheap: true,
  infer([condition, yes, no]) {
    requireBool('where', condition);
    requireSameType('where', yes, no);
    return { shape: broadcastShapes('where', condition.shape, yes.shape, no.shape), dtype: yes.dtype };
  },
  emit: (onnx, inputs) => onnx.node('Where', inputs),
  vjp: (dy, { inputs: [condition], needs }) => [
    undefined,
    needs(1) ? where(condition, dy, 0) : undefined,
    needs(2) ? where(condition, 0, dy) : undefined,
  ],
});
