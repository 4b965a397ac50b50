import {
  input,
  makeProgram,
  parameter,
  symbolicDim,
  type HostTensor,
  type Program,
} from '../../src/engine/graph/index.ts';
import { add, matmul, mul, reshape } from '../../src/engine/ops/index.ts';
import type { WeightSource } from '../../src/engine/runtime/runtime.ts';

/** Small program with a derived weight: `factor · (x @ (weight · scale)) + bias`. */
export const smallProgram = (factor = 1, name = 'small'): Program => {
  const x = input('x', [symbolicDim('batch'), 16]);
  const scaled = mul(mul(parameter('weight', [16, 32]), reshape(parameter('scale', [16]), [16, 1])), factor);
  const bias = parameter('bias', [32]);
  return makeProgram(name, { y: add(matmul(x, scaled), bias), big: matmul(x, parameter('plain', [16, 64])) });
};

const shapes: Readonly<Record<string, readonly number[]>> = {
  weight: [16, 32],
  scale: [16],
  bias: [32],
  plain: [16, 64],
};

const weightValue = (name: string): HostTensor => {
  const shape = shapes[name];
  if (shape === undefined) throw new Error(`no weight ${name}`);
  const count = shape.reduce((a, b) => a * b, 1);
  return { dtype: 'float32', shape, data: Float32Array.from({ length: count }, (_, k) => ((k * 7) % 13) / 13 - 0.5) };
};

/** Weight source that counts how often each weight is read. */
export const countingWeights = (
  options: { readonly digest?: string; readonly onRead?: (name: string) => Promise<void> | void } = {},
): WeightSource & { readonly reads: string[] } => {
  const reads: string[] = [];
  return {
    digest: options.digest ?? 'weights-1',
    reads,
    async read(name) {
      reads.push(name);
      await options.onRead?.(name);
      return weightValue(name);
    },
  };
};

export const sampleInput: HostTensor = {
  dtype: 'float32',
  shape: [2, 16],
  data: Float32Array.from({ length: 32 }, (_, k) => Math.sin(k)),
};

/** Expected result of `smallProgram` for `sampleInput`, in float64. */
export const expectedY = (factor = 1): number[] => {
  const [weight, scale, bias] = ['weight', 'scale', 'bias'].map((name) => weightValue(name).data as Float32Array);
  return Array.from({ length: 2 * 32 }, (_, at) => {
    const [row, column] = [Math.floor(at / 32), at % 32];
    let sum = bias![column]!;
    for (let k = 0; k < 16; k++)
      sum += Number(sampleInput.data[row * 16 + k]) * weight![k * 32 + column]! * scale![k]! * factor;
    return sum;
  });
};
