import { afterAll, describe, expect, it } from 'vitest';
import {
  addDims,
  ceilDivDim,
  constant,
  floorDivDim,
  input,
  makeProgram,
  mulDims,
  parameter,
  scaleDim,
  subDims,
  symbolicDim,
  type Dim,
  type Program,
  type Tensor,
} from '../graph/index.ts';
import { emitModel, OPSET_VERSION, type OnnxInitializer } from './index.ts';
import {
  add,
  dimValue,
  exp,
  fill,
  layerNorm,
  literal,
  matmul,
  maxPool,
  mul,
  neg,
  relu,
  reshape,
  scalar,
  slice,
  split,
  sum,
  transpose,
} from '../ops/index.ts';
import type { Session } from '../runtime/runtime.ts';
import { hostTensor, noise, runtime, type Operand } from '../../../test/support/op-check.ts';
import { readModel, type ModelProto } from '../../../test/support/model-reader.ts';

const [h, w, T, batch] = ['h', 'w', 'T', 'batch'].map((name) => symbolicDim(name)) as [Dim, Dim, Dim, Dim];

const sessions: Session[] = [];
afterAll(async () => {
  for (const session of sessions) await session.dispose();
});

/** Loads the program with ONNX Runtime and runs it. */
const run = async (program: Program, feeds: Readonly<Record<string, Operand>>): Promise<Record<string, number[]>> => {
  const session = await runtime.load(program);
  sessions.push(session);
  const results = await session.run(
    Object.fromEntries(Object.entries(feeds).map(([name, operand]) => [name, hostTensor(operand)])),
  );
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from<number | bigint, number>(data, Number)]),
  );
};

const emitted = (outputs: Readonly<Record<string, Tensor>>, inputs: readonly Tensor[] = []): ModelProto =>
  readModel(emitModel(makeProgram('p', outputs, { alsoInputs: inputs })));
const opTypes = (model: ModelProto): string[] => model.nodes.map(({ opType }) => opType);

describe('a model', () => {
  it('has the fields that ONNX requires', () => {
    const x = input('x', [batch, 2, subDims(mulDims(h, w), T)]);
    const [flags, weight] = [input('flags', [2], 'bool'), parameter('a.weight', [2, 3])];
    const program = makeProgram('demo', { y: relu(x), z: relu(weight), all: flags });
    const model = readModel(emitModel(program, { metadata: { maker: 'a test', empty: '' } }));
    expect(model).toMatchObject({
      irVersion: 9,
      opsets: { '': OPSET_VERSION },
      metadata: { maker: 'a test', empty: '' },
      name: 'demo',
    });
    expect(model.inputs).toEqual([
      { name: 'x', elementType: 1, shape: ['batch', 2, '-1*T+h*w'] },
      { name: 'flags', elementType: 9, shape: [2] },
      { name: 'a.weight', elementType: 1, shape: [2, 3] },
    ]);
    expect(model.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['y', ['batch', 2, '-1*T+h*w']],
      ['z', [2, 3]],
      ['all', [2]],
    ]);
    // Nothing reads these nodes, so they are in reverse order.
    expect(opTypes(model)).toEqual(['Identity', 'Relu', 'Relu']);
  });

  it('has nodes that nothing reads at its end, in reverse order', () => {
    const x = input('x', [batch]);
    const first = exp(x);
    const second = neg(first);
    const model = emitted({ one: relu(first), two: relu(second), three: second });
    expect(model.nodes.map(({ outputs }) => outputs[0])).toEqual([expect.anything(), 'three', 'two', 'one']);
  });

  it('has attributes of every kind, and only the operator sets that it uses', () => {
    const model = emitted({
      y: layerNorm(input('x', [2, 3]), input('s', [3]), input('b', [3]), 1e-5),
      z: transpose(input('t', [2, 3, 4]), [2, 0, 1]),
    });
    const attributes = Object.fromEntries(model.nodes.map((node) => [node.opType, node.attributes]));
    expect(attributes['LayerNormalization']).toEqual({ axis: -1, epsilon: Math.fround(1e-5) });
    expect(attributes['Transpose']).toEqual({ perm: [2, 0, 1] });
    expect(model.opsets).toEqual({ '': OPSET_VERSION });
  });

  it('stores constants with their bytes, equal small ones once', () => {
    const x = input('x', [2]);
    const long = literal(Array.from(noise(40)), [40]);
    const model = emitted({
      a: add(mul(x, 2), literal([1, 2], [2])),
      b: mul(add(x, 2), literal([1, 2], [2])),
      c: sum(mul(long, scalar(-0))),
      d: mul(x, 0),
    });
    expect(model.initializers.map(({ dims }) => dims)).toEqual([[40], [], [2], [], [1], []]);
    const values = model.initializers.map(({ raw }) =>
      raw!.length % 4 === 0 ? Array.from(new Float32Array(raw!.slice().buffer)) : [],
    );
    expect(values[1]).toEqual([2]);
    expect(values[2]).toEqual([1, 2]);
    expect(Object.is(values[3]![0], -0)).toBe(true);
    expect(Object.is(values[5]![0], 0)).toBe(true);
  });

  it('keeps integers beyond 2⁵³', async () => {
    const big = 2n ** 60n + 1n;
    const value = constant({ dtype: 'int64', shape: [], data: BigInt64Array.of(big) });
    const session = await runtime.load(makeProgram('big', { y: value }));
    sessions.push(session);
    expect((await session.run({}))['y']!.data).toEqual(BigInt64Array.of(big));
  });

  it('names every output, also an input and a value with two names', async () => {
    const x = input('x', [2]);
    const y = relu(x);
    const program = makeProgram('p', { first: y, second: y, same: x, five: scalar(5) });
    expect(await run(program, { x: { shape: [2], data: [-1, 2] } })).toEqual({
      first: [0, 2],
      second: [0, 2],
      same: [-1, 2],
      five: [5],
    });
  });

  it('generates names that the program does not use', async () => {
    const [v0, c1, v4] = [input('v0', [2]), input('c1', [2]), parameter('v4', [2])];
    const program = makeProgram('p', { v1: relu(add(mul(v0, c1), 1)), c0: exp(mul(v4, 3)) });
    const two = { shape: [2], data: [1, 2] };
    const results = await run(program, { v0: two, c1: two, v4: { shape: [2], data: [0, 0] } });
    expect(results).toEqual({ v1: [2, 5], c0: [1, 1] });
  });
});

describe('equal nodes', () => {
  it('are written once', () => {
    const x = input('x', [batch, 3]);
    const twice = (): Tensor => relu(mul(x, 2));
    expect(opTypes(emitted({ y: add(twice(), twice()) }))).toEqual(['Mul', 'Relu', 'Add']);
  });

  it('differ by attributes, operands and their order', () => {
    const [x, y] = [input('x', [3, 3]), input('y', [3, 3])];
    const model = emitted({
      a: matmul(x, y),
      b: matmul(y, x),
      c: sum(x, [0]),
      d: sum(x, [1]),
      e: sum(x, [1], { keepDims: true }),
    });
    expect(opTypes(model).filter((name) => name !== 'Identity')).toHaveLength(5);
  });

  it('that compute sizes are written once', () => {
    const x = input('x', [h, w]);
    const rows = mulDims(h, w);
    const model = emitted({ a: fill(1, [rows]), b: fill(2, [rows]) }, [x]);
    expect(opTypes(model).filter((name) => name === 'Shape')).toHaveLength(1);
    expect(opTypes(model).filter((name) => name === 'Mul')).toHaveLength(1);
  });
});

describe('unread outputs', () => {
  const normed = (): { y: Tensor; program: Program } => {
    const y = layerNorm(input('x', [2, 3]), input('s', [3]), input('b', [3]), 1e-5);
    return { y, program: makeProgram('p', { y }) };
  };
  const outputsOf = (program: Program, opType: string): number =>
    readModel(emitModel(program)).nodes.find((node) => node.opType === opType)!.outputs.length;

  it('are omitted where ONNX allows it', () => {
    expect(outputsOf(normed().program, 'LayerNormalization')).toBe(1);
    const pooled = maxPool(input('x', [1, 1, 4, 4]), 2, { stride: 2, padding: 0 });
    expect(outputsOf(makeProgram('p', { pooled }), 'MaxPool')).toBe(1);
    expect(outputsOf(makeProgram('p', { at: pooled.node.outputs[1]! }), 'MaxPool')).toBe(2);
  });

  it('stay if a later one is read, and for split', () => {
    const { y } = normed();
    expect(outputsOf(makeProgram('p', { deviation: y.node.outputs[2]! }), 'LayerNormalization')).toBe(3);
    const parts = split(input('x', [6]), 0, [1, 2, 3]);
    expect(outputsOf(makeProgram('p', { part: parts[0]! }), 'Split')).toBe(3);
  });

  it('are omitted from a model that runs', async () => {
    const { y } = normed();
    const program = makeProgram('p', { y, mean: y.node.outputs[1]! });
    const feeds = {
      x: { shape: [2, 3], data: [1, 2, 3, 4, 4, 4] },
      s: { shape: [3], data: [1, 1, 1] },
      b: { shape: [3], data: [0, 0, 0] },
    };
    expect((await run(program, feeds))['mean']).toEqual([2, 4]);
  });
});

describe('symbolic sizes', () => {
  const sizes: readonly (readonly [string, Dim])[] = [
    ['h', h],
    ['h·w', mulDims(h, w)],
    ['h·w + T', addDims(mulDims(h, w), T)],
    ['3·h·w − 2·T + 5', addDims(scaleDim(mulDims(h, w), 3), scaleDim(T, -2), 5)],
    ['⌈h/2⌉', ceilDivDim(h, 2)],
    ['⌈⌈h/2⌉/2⌉ · ⌊(w−1)/4⌋', mulDims(ceilDivDim(ceilDivDim(h, 2), 2), floorDivDim(subDims(w, 1), 4))],
    ['⌊(h·w + T)/3⌋', floorDivDim(addDims(mulDims(h, w), T), 3)],
    ['⌊−h/2⌋', floorDivDim(scaleDim(h, -1), 2)],
  ];
  const values = { h: 13, w: 7, T: 6 };
  const evaluated = [13, 91, 97, 3 * 91 - 12 + 5, 7, 4, 32, -7];

  it('are computed from the shapes of the inputs', async () => {
    const inputs = [input('image', [2, h, w]), input('text', [T])];
    const outputs = Object.fromEntries(sizes.map(([name, dim]) => [name, dimValue(dim)]));
    const results = await run(makeProgram('sizes', outputs, { alsoInputs: inputs }), {
      image: { shape: [2, values.h, values.w], data: new Float32Array(2 * values.h * values.w) },
      text: { shape: [values.T], data: new Float32Array(values.T) },
    });
    expect(sizes.map(([name]) => results[name]![0])).toEqual(evaluated);
  });

  it('are read from an input that has the whole expression', async () => {
    const joint = mulDims(h, w);
    const x = input('x', [joint, ceilDivDim(h, 2)]);
    const program = makeProgram(
      'p',
      { joint: dimValue(addDims(joint, 1)), area: dimValue(mulDims(ceilDivDim(h, 2), ceilDivDim(h, 2), 3)) },
      { alsoInputs: [x] },
    );
    const results = await run(program, { x: { shape: [5, 2], data: new Float32Array(10) } });
    expect(results).toEqual({ joint: [6], area: [12] });
  });

  it('allow several shapes with one program', async () => {
    const x = input('x', [batch, h, w]);
    const flat = reshape(x, [batch, mulDims(h, w)]);
    const session = await runtime.load(makeProgram('p', { y: slice(flat, 1, 1, mulDims(h, w)) }));
    sessions.push(session);
    for (const shape of [
      [1, 2, 2],
      [3, 4, 1],
      [0, 2, 5],
    ]) {
      const count = shape.reduce((a, b) => a * b, 1);
      const { y } = await session.run({ x: hostTensor({ shape, data: Array.from({ length: count }, (_, k) => k) }) });
      expect(y!.shape).toEqual([shape[0], shape[1]! * shape[2]! - 1]);
    }
  });

  it('that no input has are reported with the inputs', () => {
    const program = makeProgram('p', { y: dimValue(mulDims(h, w)) }, { alsoInputs: [input('x', [h, 3])] });
    expect(() => emitModel(program)).toThrow('internal: program "p" has no input with the size "w" (x: float32[h, 3])');
  });
});

describe('stored values', () => {
  const weight = parameter('weight', [2, 3]);
  const transposed = transpose(weight, [1, 0]);
  const program = makeProgram('p', { y: add(matmul(input('x', [batch, 3]), transposed), parameter('bias', [2])) });

  it('are kept in another file, and the nodes that compute them are omitted', () => {
    const stored = new Map<Tensor, OnnxInitializer>([
      [
        transposed,
        {
          name: 'derived.0',
          dtype: 'float32',
          shape: [3, 2],
          external: { location: 'weights.bin', offset: 4096, length: 24 },
        },
      ],
    ]);
    const model = readModel(emitModel(program, { stored }));
    expect(opTypes(model)).toEqual(['MatMul', 'Add']);
    expect(model.inputs.map(({ name }) => name)).toEqual(['x', 'bias']);
    expect(model.initializers).toEqual([
      {
        name: 'derived.0',
        dataType: 1,
        dims: [3, 2],
        raw: undefined,
        external: { location: 'weights.bin', offset: '4096', length: '24' },
      },
    ]);
  });

  it('can be kept in the model itself', () => {
    const value = { dtype: 'float32', shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) } as const;
    const model = readModel(emitModel(program, { stored: new Map([[transposed, { name: 'w', value }]]) }));
    expect(Array.from(new Float32Array(model.initializers[0]!.raw!.slice().buffer))).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
