import type { Random } from '../random/random.ts';

/** Samples the initial value of a parameter of the given shape. */
export type Initializer = (random: Random, shape: readonly number[]) => Float32Array;

const countOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Fan-in and fan-out as torch.nn.init computes them. */
const fans = (shape: readonly number[]): { fanIn: number; fanOut: number } => {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  const taps = countOf(kernel);
  return { fanIn: inputs * taps, fanOut: outputs * taps };
};

const draw = (shape: readonly number[], next: () => number): Float32Array =>
  Float32Array.from({ length: countOf(shape) }, next);

/** Initializer of one constant. */
export const fillWith =
  (value: number): Initializer =>
  (_random, shape) =>
    new Float32Array(countOf(shape)).fill(value);

/** Initializer of zeros. */
export const zeros = fillWith(0);
/** Initializer of ones. */
export const ones = fillWith(1);

const uniform =
  (bound: number): Initializer =>
  (random, shape) =>
    draw(shape, () => (2 * random.uniform() - 1) * bound);

/** Initializer of a normal distribution with mean 0. */
export const normal =
  (deviation: number): Initializer =>
  (random, shape) =>
    draw(shape, () => random.normal() * deviation);

/** Initializer of `count` equal parts along the first axis, each as another initializer makes it. */
export const equalParts =
  (count: number, ofPart: Initializer): Initializer =>
  (random, [rows, ...rest]) => {
    const part = ofPart(random, [rows! / count, ...rest]);
    const parts = new Float32Array(count * part.length);
    for (let index = 0; index < count; index++) parts.set(part, index * part.length);
    return parts;
  };

/** Xavier initialization (Glorot and Bengio, 2010): uniform with bound √(6 / (fan in + fan out)). */
export const xavierUniform: Initializer = (random, shape) => {
  const { fanIn, fanOut } = fans(shape);
  return uniform(Math.sqrt(6 / (fanIn + fanOut)))(random, shape);
};

/** Kaiming initialization (He et al., 2015) with negative slope `a`: uniform with bound √(6 / ((1 + a²) · fan in)). */
export const kaimingUniform =
  (a: number): Initializer =>
  (random, shape) =>
    uniform(Math.sqrt(6 / ((1 + a * a) * fans(shape).fanIn)))(random, shape);

/** Kaiming initialization over the fan-out, for ReLU, as torchvision initializes convolutions. */
export const kaimingNormalFanOut: Initializer = (random, shape) =>
  normal(Math.sqrt(2 / fans(shape).fanOut))(random, shape);

/** Default initialization of torch.nn.Linear and Conv2d; `fanIn` also bounds their biases. */
export const torchDefaultWeight = kaimingUniform(Math.sqrt(5));
/** Default initialization of the biases of torch.nn.Linear and Conv2d. */
export const torchDefaultBias = (fanIn: number): Initializer => uniform(1 / Math.sqrt(fanIn));

/** Normal with standard deviation 0.02 and a zero row for the padding token, as RoBERTa's embeddings. */
export const embeddingTable =
  (deviation: number, paddingIndex?: number): Initializer =>
  (random, shape) => {
    const table = normal(deviation)(random, shape);
    const width = shape[1]!;
    if (paddingIndex !== undefined) table.fill(0, paddingIndex * width, (paddingIndex + 1) * width);
    return table;
  };
