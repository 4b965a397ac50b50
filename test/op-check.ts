import { expect } from 'vitest';
import {
  input,
  makeProgram,
  symbolicDim,
  type DType,
  type HostTensor,
  type Shape,
  type Tensor,
} from '../src/graph/index.ts';
import { constant } from '../src/graph/tensor.ts';
import { add, gradients, mul, sum } from '../src/ops/index.ts';
import { NodeRuntime } from '../src/runtime/node/node-runtime.ts';

export const runtime = new NodeRuntime({ threads: 1 });

/** Deterministic values in [−1, 1), different for every seed. */
export const noise = (count: number, seed = 1): Float64Array => {
  let state = (seed * 2654435761) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 31 - 1;
  });
};

export interface Operand {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly dtype?: DType;
}

const hostTensor = ({ shape, data, dtype = 'float32' }: Operand): HostTensor => {
  const values = Array.from(data);
  switch (dtype) {
    case 'int64':
      return { dtype, shape, data: BigInt64Array.from(values.map((value) => BigInt(value))) };
    case 'float64':
      return { dtype, shape, data: Float64Array.from(values) };
    case 'int32':
      return { dtype, shape, data: Int32Array.from(values) };
    case 'uint32':
      return { dtype, shape, data: Uint32Array.from(values) };
    case 'bool':
    case 'uint8':
      return { dtype, shape, data: Uint8Array.from(values) };
    default:
      return { dtype: 'float32', shape, data: Float32Array.from(values) };
  }
};

/** Symbols for axes of size > 1, unless `fixed`: a filter's or a table's sizes must be numbers. */
const inputsFor = (operands: readonly Operand[], symbolic: boolean): Tensor[] => {
  const bySize = new Map<number, Shape[number]>();
  return operands.map(({ shape, dtype }, index) =>
    input(
      `x${index}`,
      shape.map((size) => {
        if (!symbolic || size === 1) return size;
        if (!bySize.has(size)) bySize.set(size, symbolicDim(`n${size}`));
        return bySize.get(size)!;
      }),
      dtype ?? 'float32',
    ),
  );
};

/** Traces `build` on the operands, runs it, and gives back the results as plain numbers with their shapes. */
export const evaluate = async (
  build: (...inputs: Tensor[]) => Tensor | Readonly<Record<string, Tensor>>,
  operands: readonly Operand[],
  options: { readonly symbolic?: boolean } = {},
): Promise<Record<string, { shape: readonly number[]; dtype: DType; data: number[] }>> => {
  const inputs = inputsFor(operands, options.symbolic ?? false);
  const built = build(...inputs);
  const outputs = 'node' in built ? { out: built as Tensor } : built;
  const session = await runtime.load(makeProgram('check', outputs, { alsoInputs: inputs }));
  try {
    const results = await session.run(
      Object.fromEntries(operands.map((operand, index) => [`x${index}`, hostTensor(operand)])),
    );
    return Object.fromEntries(
      Object.entries(results).map(([name, value]) => [
        name,
        { shape: value.shape, dtype: value.dtype, data: Array.from<number | bigint, number>(value.data, Number) },
      ]),
    );
  } finally {
    await session.dispose();
  }
};

/**
 * Compares the directional derivative along one random direction with a central difference of Σ weights ⊙ f(x).
 * Its cost does not grow with the number of elements. `epsilon` may be large where f is linear in each operand.
 */
export const checkGradient = async (
  build: (...inputs: Tensor[]) => Tensor,
  operands: readonly Operand[],
  options: {
    readonly epsilon?: number;
    readonly tolerance?: number;
    readonly wrt?: readonly number[];
    readonly symbolic?: boolean;
  } = {},
): Promise<void> => {
  const { epsilon = 1e-2, tolerance = 1e-3 } = options;
  const wrt = options.wrt ?? operands.map((_, index) => index);
  const shapes = await evaluate(build, operands, options);
  const weights = noise(shapes['out']!.data.length, 77);
  const directions = operands.map((operand, index) => noise(operand.data.length, 1000 + index));
  const weighted = (inputs: Tensor[]): { out: Tensor; cotangent: Tensor } => {
    const out = build(...inputs);
    const { shape, dtype } = shapes['out']!;
    const values =
      dtype === 'float64'
        ? ({ dtype, shape, data: weights } as const)
        : ({ dtype: 'float32', shape, data: Float32Array.from(weights) } as const);
    return { out, cotangent: constant(values) };
  };
  const loss = async (step: number): Promise<number> => {
    const moved = operands.map((operand, index) =>
      wrt.includes(index)
        ? { ...operand, data: Array.from(operand.data, (value, i) => value + step * directions[index]![i]!) }
        : operand,
    );
    const result = await evaluate((...inputs) => weighted(inputs).out, moved);
    // Summed on the host in double precision.
    return result['out']!.data.reduce((total, value, i) => total + value * weights[i]!, 0);
  };
  const numeric = ((await loss(epsilon)) - (await loss(-epsilon))) / (2 * epsilon);
  const analytic = await evaluate((...inputs) => {
    const { out, cotangent } = weighted(inputs);
    const wanted = wrt.map((index) => inputs[index]!);
    const slopes = gradients([{ tensor: out, cotangent }], wanted).map((gradient, k) => {
      const index = wrt[k]!;
      const { shape, dtype } = operands[index]!;
      const direction =
        dtype === 'float64'
          ? ({ dtype, shape, data: directions[index]! } as const)
          : ({ dtype: 'float32', shape, data: Float32Array.from(directions[index]!) } as const);
      return sum(mul(gradient, constant(direction)));
    });
    return slopes.reduce((a, b) => add(a, b));
  }, operands);
  const slope = analytic['out']!.data[0]!;
  expect(Math.abs(slope - numeric), `analytic ${slope}, numeric ${numeric}`).toBeLessThanOrEqual(
    tolerance * Math.max(1, Math.abs(numeric)),
  );
};
