import { describe, expect, it } from 'vitest';
import { MdetrError } from '../../src/errors.ts';
import {
  addDims,
  ceilDivDim,
  constant,
  float32Tensor,
  input,
  makeProgram,
  mulDims,
  parameter,
  symbolicDim,
  type HostTensor,
} from '../../src/graph/index.ts';
import { add, and, cast, dimValue, matmul, relu, sum } from '../../src/ops/index.ts';
import { NodeRuntime } from '../../src/runtime/node/node-runtime.ts';
import { checkFeeds, type Feeds } from '../../src/runtime/runtime.ts';

const runtime = new NodeRuntime({ threads: 1 });
const [batch, h, w, T] = ['batch', 'h', 'w', 'T'].map((name) => symbolicDim(name));
const zeros = (...shape: number[]): HostTensor =>
  float32Tensor(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

const numbers = (value: HostTensor | undefined): number[] => Array.from<number | bigint, number>(value!.data, Number);

describe('feeds', () => {
  const x = input('x', [batch!, 3, h!]);
  const ids = input('ids', [batch!], 'int64');
  const joint = input('joint', [batch!, addDims(mulDims(h!, w!), T!)]);
  const half = input('half', [ceilDivDim(h!, 2)]);
  const sizes = input('sizes', [w!, T!]);
  const program = makeProgram(
    'p',
    { y: add(sum(x), cast(sum(ids), 'float32')) },
    { alsoInputs: [x, ids, joint, half, sizes] },
  );
  const right = (): Record<string, HostTensor> => ({
    x: zeros(2, 3, 5),
    ids: { dtype: 'int64', shape: [2], data: new BigInt64Array(2) },
    joint: zeros(2, 5 * 4 + 6),
    half: zeros(3),
    sizes: zeros(4, 6),
  });
  const check = (feeds: Feeds): void => checkFeeds(program, feeds, program.inputs);

  it('that fit pass', () => {
    expect(() => check(right())).not.toThrow();
    expect(() => check({ ...right(), unread: zeros(1) })).not.toThrow();
  });

  const wrong: readonly (readonly [string, Readonly<Record<string, HostTensor | undefined>>])[] = [
    ['program "p" needs the input "ids"', { ids: undefined }],
    ['input "x" must be float32[batch, 3, h], got float32[2, 3]', { x: zeros(2, 3) }],
    ['input "x" must be float32[batch, 3, h], got float32[2, 4, 5]', { x: zeros(2, 4, 5) }],
    ['input "ids" must be int64[batch], got float32[2]', { ids: zeros(2) }],
    [
      'input "x" has 30 values for shape [2, 3, 6]',
      { x: { dtype: 'float32', shape: [2, 3, 6], data: new Float32Array(30) } },
    ],
    [
      'input "ids" has batch = 3, but input "x" has batch = 2',
      { ids: { dtype: 'int64', shape: [3], data: new BigInt64Array(3) } },
    ],
    ['input "joint" has T+h*w = 27, but with T = 6, h = 5, w = 4 it must be 26', { joint: zeros(2, 27) }],
    ['input "half" has ⌊(h+1)/2⌋ = 2, but with h = 5 it must be 3', { half: zeros(2) }],
  ];
  it.each(wrong)('%s', (message, change) => {
    const feeds = { ...right(), ...change } as Feeds;
    expect(() => check(feeds)).toThrow(MdetrError);
    expect(() => check(feeds)).toThrow(message);
  });

  it('are checked at every run, and what is only there for its sizes may be optimised away', async () => {
    const like = input('like', [h!]);
    const session = await runtime.load(
      makeProgram('sizes', { y: relu(input('z', [2])), n: dimValue(addDims(h!, 1)) }, { alsoInputs: [like, sizes] }),
    );
    const feeds = { z: float32Tensor([2], [-1, 1]), like: zeros(7), sizes: zeros(1, 1) };
    const { y, n } = await session.run(feeds);
    expect(numbers(y)).toEqual([0, 1]);
    expect(n).toEqual({ dtype: 'int64', shape: [], data: BigInt64Array.of(8n) });
    await expect(session.run({ ...feeds, sizes: zeros(1) })).rejects.toThrow('input "sizes" must be');
    await session.dispose();
  });
});

describe('a session', () => {
  it('takes and gives every element type', async () => {
    const all: readonly HostTensor[] = [
      { dtype: 'float32', shape: [2], data: Float32Array.of(0.5, -1) },
      { dtype: 'float64', shape: [2], data: Float64Array.of(0.1, -1) },
      { dtype: 'int64', shape: [2], data: BigInt64Array.of(2n ** 62n, -1n) },
      { dtype: 'int32', shape: [2], data: Int32Array.of(2 ** 30, -1) },
      { dtype: 'uint32', shape: [2], data: Uint32Array.of(2 ** 32 - 1, 0) },
      { dtype: 'uint8', shape: [2], data: Uint8Array.of(255, 0) },
      { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
      { dtype: 'float32', shape: [0, 3], data: new Float32Array(0) },
      { dtype: 'float32', shape: [], data: Float32Array.of(7) },
    ];
    for (const value of all) {
      const x = input('x', value.shape, value.dtype);
      const session = await runtime.load(makeProgram('same', { y: x }));
      const { y } = await session.run({ x: value });
      expect(y).toEqual(value);
      await session.dispose();
    }
  });

  it('hands results over: a later run does not change them, nor does it the inputs', async () => {
    const session = await runtime.load(makeProgram('p', { y: relu(input('x', [batch!])) }));
    const x = float32Tensor([2], [1, -2]);
    const { y } = await session.run({ x });
    await session.run({ x: float32Tensor([3], [7, 8, 9]) });
    expect(numbers(y)).toEqual([1, 0]);
    expect(numbers(x)).toEqual([1, -2]);
    await session.dispose();
  });

  it('takes parameters as inputs when it was loaded without weights', async () => {
    const program = makeProgram('p', { y: matmul(input('x', [1, 2]), parameter('weight', [2, 2])) });
    const session = await runtime.load(program);
    const weight = float32Tensor([2, 2], [1, 2, 3, 4]);
    const { y } = await session.run({ x: float32Tensor([1, 2], [1, 1]), weight });
    expect(numbers(y)).toEqual([4, 6]);
    await expect(session.run({ x: zeros(1, 2) })).rejects.toThrow('program "p" needs the input "weight"');
    await session.dispose();
  });

  it('refuses to run after it was disposed, and may be disposed again', async () => {
    const session = await runtime.load(makeProgram('gone', { y: relu(input('x', [2])) }));
    await session.dispose();
    await expect(session.run({ x: zeros(2) })).rejects.toThrow('program "gone" was disposed');
    await expect(session.dispose()).resolves.toBeUndefined();
  });

  it('runs several at once', async () => {
    const session = await runtime.load(makeProgram('p', { y: sum(input('x', [batch!])) }));
    const sums = await Promise.all(
      [1, 2, 3, 4].map(
        async (count) => (await session.run({ x: float32Tensor([count], new Array(count).fill(1)) }))['y']!,
      ),
    );
    expect(sums.map(({ data }) => Number(data[0]))).toEqual([1, 2, 3, 4]);
    await session.dispose();
  });
});

describe('what cannot be loaded', () => {
  it('names the program and the device', async () => {
    const flags = input('x', [2], 'bool');
    const program = makeProgram('odd', { y: relu(and(flags, flags)) });
    await expect(runtime.load(program)).rejects.toThrow(/^cannot load program "odd" on device "cpu": /);
    await expect(runtime.load(program)).rejects.toThrow(MdetrError);
  });

  it('names the devices that there are when one is asked for that is not', () => {
    expect(() => new NodeRuntime({ device: 'abacus' })).toThrow(/^there is no device "abacus" here; there are: .*cpu/);
    expect(() => new NodeRuntime({ device: 'abacus' })).toThrow(MdetrError);
  });
});

describe('memory', () => {
  it('does not grow over 200 programs loaded, run and disposed', async () => {
    // A megabyte that the session holds: 200 of them kept would not pass unnoticed.
    const weight = constant({ dtype: 'float32', shape: [512, 512], data: new Float32Array(2 ** 18).fill(1) });
    const cycle = async (): Promise<void> => {
      const session = await runtime.load(makeProgram('p', { y: matmul(input('x', [batch!, 512]), weight) }));
      await session.run({ x: zeros(4, 512) });
      await session.dispose();
    };
    for (let warm = 0; warm < 50; warm++) await cycle();
    const before = process.memoryUsage().rss;
    for (let count = 0; count < 200; count++) await cycle();
    const grown = process.memoryUsage().rss - before;
    expect(grown / 2 ** 20).toBeLessThan(60);
  });
});
