import {
  add,
  addDoubles,
  addScalars,
  assemble,
  divide,
  doubleAt,
  forOffsets,
  FunctionWriter,
  highDoubles,
  load,
  lowDoubles,
  multiply,
  multiplyDoubles,
  splat,
  squareRoot,
  store,
  subtract,
  type Code,
  type Local,
} from './wasm-assembler.ts';

/**
 * Loops of the optimizer over float32 arrays in one memory. Arrays are given by their addresses; `bytes` is a multiple of
 * the bytes of `KERNEL_LANES` elements and not 0.
 */
export interface UpdateKernels {
  /** AdamW (arXiv:1711.05101). All arithmetic is in single precision, as in PyTorch. */
  adamw(
    ...args: readonly [
      ...arrays: [values: number, gradient: number, first: number, second: number, bytes: number],
      ...scalars: [clip: number, beta1: number, rest1: number, beta2: number, rest2: number],
      ...rates: [shrink: number, stepSize: number, correction: number, epsilon: number],
    ]
  ): void;
  /** SGD with momentum. */
  sgd(
    ...args: readonly [
      ...arrays: [values: number, gradient: number, first: number, bytes: number],
      ...scalars: [clip: number, decay: number, momentum: number, rate: number],
    ]
  ): void;
  /** values ← values · shrink − direction · rate */
  move(values: number, direction: number, bytes: number, shrink: number, rate: number): void;
  /** average ← average + (value − average) · rest, which keeps the average of a constant constant. */
  average(average: number, values: number, bytes: number, rest: number): void;
  /** sums ← sums + values */
  add(sums: number, values: number, bytes: number): void;
  /** Sum of squares in double precision. */
  sumOfSquares(values: number, bytes: number): number;
}

/** Number of elements that one iteration of a loop works on, at most. */
export const KERNEL_LANES = 16;

const VECTOR_BYTES = 16;

/** The vector of an array at the loop's offset. */
interface Element {
  readonly load: Code;
  store(value: Code): Code;
}

/** Kernel that loops over the vectors of arrays. Scalars are the same for all elements. */
const elementwise = <A extends string, N extends string>(
  name: string,
  arrayNames: readonly A[],
  scalarNames: readonly N[],
  body: (arrays: Readonly<Record<A, Element>>, scalars: Readonly<Record<N, Code>>, variable: () => Local) => Code,
): FunctionWriter => {
  const writer = new FunctionWriter(name);
  const starts = arrayNames.map(() => writer.parameter('i32'));
  const end = writer.parameter('i32');
  const parameters = scalarNames.map(() => writer.parameter('f32'));
  const offset = writer.variable('i32');
  const scalars = parameters.map((parameter) => {
    const spread = writer.variable('v128');
    writer.write(spread.set(splat(parameter.get)));
    return spread.get;
  });
  const elements = starts.map((start): Element => {
    const address = addScalars.i32(start.get, offset.get);
    return { load: load(address, 0), store: (value) => store(address, 0, value) };
  });
  const code = body(named(arrayNames, elements), named(scalarNames, scalars), () => writer.variable('v128'));
  writer.write(forOffsets(offset, VECTOR_BYTES, end.get, code));
  return writer;
};

const named = <K extends string, T>(names: readonly K[], values: readonly T[]): Record<K, T> =>
  Object.fromEntries(names.map((name, index) => [name, values[index]])) as Record<K, T>;

const adamw = elementwise(
  'adamw',
  ['values', 'gradient', 'first', 'second'],
  ['clip', 'beta1', 'rest1', 'beta2', 'rest2', 'shrink', 'stepSize', 'correction', 'epsilon'],
  ({ values, gradient, first, second }, scalars, variable) => {
    const { clip, beta1, rest1, beta2, rest2, shrink, stepSize, correction, epsilon } = scalars;
    const [scaled, mean, square] = [variable(), variable(), variable()];
    const root = add(multiply(squareRoot(square.get), correction), epsilon);
    return [
      ...scaled.set(multiply(gradient.load, clip)),
      ...mean.set(add(multiply(first.load, beta1), multiply(scaled.get, rest1))),
      ...square.set(add(multiply(second.load, beta2), multiply(multiply(scaled.get, rest2), scaled.get))),
      ...first.store(mean.get),
      ...second.store(square.get),
      ...values.store(subtract(multiply(values.load, shrink), divide(multiply(mean.get, stepSize), root))),
    ];
  },
);

const sgd = elementwise(
  'sgd',
  ['values', 'gradient', 'first'],
  ['clip', 'decay', 'momentum', 'rate'],
  ({ values, gradient, first }, { clip, decay, momentum, rate }, variable) => {
    const [value, velocity] = [variable(), variable()];
    const direction = add(multiply(gradient.load, clip), multiply(value.get, decay));
    return [
      ...value.set(values.load),
      ...velocity.set(add(multiply(first.load, momentum), direction)),
      ...first.store(velocity.get),
      ...values.store(subtract(value.get, multiply(velocity.get, rate))),
    ];
  },
);

const move = elementwise('move', ['values', 'direction'], ['shrink', 'rate'], ({ values, direction }, scalars) =>
  values.store(subtract(multiply(values.load, scalars.shrink), multiply(direction.load, scalars.rate))),
);

const average = elementwise('average', ['averages', 'values'], ['rest'], ({ averages, values }, { rest }) =>
  averages.store(add(averages.load, multiply(subtract(values.load, averages.load), rest))),
);

const addition = elementwise('add', ['sums', 'values'], [], ({ sums, values }) =>
  sums.store(add(sums.load, values.load)),
);

const sumOfSquares = ((): FunctionWriter => {
  const writer = new FunctionWriter('sumOfSquares', 'f64');
  const [start, end] = [writer.parameter('i32'), writer.parameter('i32')];
  const offset = writer.variable('i32');
  const squares = (half: Code): Code => multiplyDoubles(half, half);
  // Independent partial sums: an addition has a longer latency than a load.
  const sums: Local[] = [];
  const code = [0, 1, 2, 3].flatMap((k) => {
    const four = writer.variable('v128');
    const [low, high] = [writer.variable('v128'), writer.variable('v128')];
    sums.push(low, high);
    return [
      ...four.set(load(addScalars.i32(start.get, offset.get), k * VECTOR_BYTES)),
      ...low.set(addDoubles(low.get, squares(lowDoubles(four.get)))),
      ...high.set(addDoubles(high.get, squares(highDoubles(four.get)))),
    ];
  });
  writer.write(forOffsets(offset, 4 * VECTOR_BYTES, end.get, code));
  const total = sums.map(({ get }) => get).reduce(addDoubles);
  writer.write(sums[0]!.set(total), addScalars.f64(doubleAt(0, sums[0]!.get), doubleAt(1, sums[0]!.get)));
  return writer;
})();

const compiled = new WebAssembly.Module(assemble([adamw, sgd, move, average, addition, sumOfSquares]));
const instances = new WeakMap<WebAssembly.Memory, UpdateKernels>();

/** The kernels of a memory, compiled once. */
export const kernelsOn = (memory: WebAssembly.Memory): UpdateKernels => {
  let kernels = instances.get(memory);
  if (kernels === undefined) {
    const { exports } = new WebAssembly.Instance(compiled, { host: { memory } });
    kernels = exports as unknown as UpdateKernels;
    instances.set(memory, kernels);
  }
  return kernels;
};
