import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import {
  input,
  isStatic,
  makeProgram,
  sizeOf,
  symbolicDim,
  Tensor,
  type DType,
  type HostTensor,
} from '../../src/engine/graph/index.ts';
import { gather, gradients, iota, literal, reshape } from '../../src/engine/ops/index.ts';
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';

export const runtime = new NodeRuntime({ threads: 1 });

/** Reproducible values in [−1, 1), different for every seed. */
export const noise = (count: number, seed = 1): Float64Array => {
  let state = (seed * 2654435761) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 31 - 1;
  });
};

/** Values of `ramp` in bench/fixtures/torch_ops.py: a triangle wave in [−1, 1] of the given step. */
export const ramp = (shape: readonly number[], step = 37): Float32Array =>
  Float32Array.from(
    { length: shape.reduce((product, size) => product * size, 1) },
    (_, index) => ((index * step + 11) % 101) / 50 - 1,
  );

/** Reads reference values of another implementation from test/fixtures/ops. */
export const opFixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/ops/${name}`, import.meta.url), 'utf8'));

export interface Operand {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly dtype?: DType;
  /** Axes that become symbolic in a symbolic check. Default: all; `[]` for a filter or a table. */
  readonly symbolicAxes?: readonly number[];
}

export interface Result {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly number[];
}

export const hostTensor = ({ shape, data, dtype = 'float32' }: Operand): HostTensor => {
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

/** Inputs for operands. With symbolic sizes, equal sizes get the same symbol; 1 stays a number, so that it broadcasts. */
export const inputsFor = (operands: readonly Operand[], symbolic: boolean): Tensor[] =>
  operands.map(({ shape, dtype, symbolicAxes }, index) =>
    input(
      `x${index}`,
      shape.map((size, axis) =>
        symbolic && size !== 1 && (symbolicAxes?.includes(axis) ?? true) ? symbolicDim(`n${size}`) : size,
      ),
      dtype ?? 'float32',
    ),
  );

/** Traces `build` on the operands, runs it, and returns the results. */
export const evaluate = async (
  build: (...inputs: Tensor[]) => Tensor | Readonly<Record<string, Tensor>>,
  operands: readonly Operand[],
  options: { readonly symbolic?: boolean } = {},
): Promise<Record<string, Result>> => {
  const inputs = inputsFor(operands, options.symbolic ?? false);
  const built = build(...inputs);
  const outputs = built instanceof Tensor ? { out: built } : built;
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

const cotangentValues = Array.from(noise(4096, 77));

/** Random values of the shape of a result, which may be symbolic. */
const cotangentFor = (out: Tensor): Tensor => {
  if (isStatic(out.shape)) return literal(cotangentValues.slice(0, Number(sizeOf(out.shape))), out.shape, out.dtype);
  const table = literal(cotangentValues, [cotangentValues.length], out.dtype);
  return reshape(gather(table, iota(sizeOf(out.shape))), out.shape);
};

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((total, value, index) => total + value * b[index]!, 0);

/**
 * Checks gradients: compares the directional derivative along one random direction with a central difference of
 * Σ cotangent ⊙ f(x), both summed in float64. The cost does not grow with the number of elements. `epsilon` may be large
 * if f is linear in each operand. Every gradient must have the shape and type of its operand.
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
  const directions = operands.map((operand, index) => noise(operand.data.length, 1000 + index));
  const loss = async (step: number): Promise<number> => {
    const moved = operands.map((operand, index) =>
      wrt.includes(index)
        ? { ...operand, data: Array.from(operand.data, (value, i) => value + step * directions[index]![i]!) }
        : operand,
    );
    const { out, cotangent } = await evaluate(
      (...inputs) => {
        const built = build(...inputs);
        return { out: built, cotangent: cotangentFor(built) };
      },
      moved,
      options,
    );
    return dot(out!.data, cotangent!.data);
  };
  const numeric = ((await loss(epsilon)) - (await loss(-epsilon))) / (2 * epsilon);
  const slopes = await evaluate(
    (...inputs) => {
      const out = build(...inputs);
      const wanted = wrt.map((index) => inputs[index]!);
      const found = gradients([{ tensor: out, cotangent: cotangentFor(out) }], wanted);
      return Object.fromEntries(found.map((gradient, k) => [`x${wrt[k]!} gradient`, gradient]));
    },
    operands,
    options,
  );
  const slope = wrt.reduce((total, index) => {
    const { shape, dtype, data } = slopes[`x${index} gradient`]!;
    expect({ shape, dtype }, `gradient of operand ${index}`).toEqual({
      shape: operands[index]!.shape,
      dtype: operands[index]!.dtype ?? 'float32',
    });
    return total + dot(data, directions[index]!);
  }, 0);
  expect(Math.abs(slope - numeric), `analytic ${slope}, numeric ${numeric}`).toBeLessThanOrEqual(
    tolerance * Math.max(1, Math.abs(numeric)),
  );
};

/** Checks a result; the tolerance is relative to the largest magnitude (at least 1). */
export const expectClose = (result: Result, expected: Partial<Result>, tolerance = 1e-6): void => {
  const { shape, dtype, data } = expected;
  if (shape !== undefined) expect(result.shape).toEqual(shape);
  if (dtype !== undefined) expect(result.dtype).toBe(dtype);
  if (data === undefined) return;
  expect(result.data).toHaveLength(data.length);
  const scale = data.reduce((top, value) => (Number.isFinite(value) ? Math.max(top, Math.abs(value)) : top), 1);
  data.forEach((value, index) => {
    const got = result.data[index]!;
    const fits = Object.is(got, value) || got === value || Math.abs(got - value) <= tolerance * scale;
    if (!fits) expect.fail(`element ${index} of ${data.length} is ${got}, expected ${value}`);
  });
};
