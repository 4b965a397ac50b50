import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { MdetrError } from '../../src/errors.ts';
import {
  addDims,
  constant,
  float32Tensor,
  input,
  makeProgram,
  mulDims,
  parameter,
  symbolicDim,
  type HostTensor,
} from '../../src/engine/graph/index.ts';
import { and, cast, dimValue, gather, matmul, mul, relu, reshape, sum } from '../../src/engine/ops/index.ts';
import { selectCandidates } from '../../src/models/queries/candidates.ts';
import { ProgramCache } from '../../src/engine/runtime/node/program-cache.ts';
import type { DeviceTensor, Runtime } from '../../src/engine/runtime/runtime.ts';
import { countingWeights, expectedY, sampleInput, smallProgram } from './small-program.ts';

const [batch, h, w, T] = ['batch', 'h', 'w', 'T'].map((name) => symbolicDim(name));
const zeros = (...shape: number[]): HostTensor =>
  float32Tensor(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

const valuesOf = (value: HostTensor | undefined): number[] => Array.from<number | bigint, number>(value!.data, Number);

/** Contract of the `Runtime` interface, run for every implementation. */
export const runtimeContract = (
  make: (options: { threads: number; cache?: ProgramCache }) => Runtime | Promise<Runtime>,
): void => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await make({ threads: 1 });
  });

  describe('feeds', () => {
    const sizes = input('sizes', [w!, T!]);

    it('are checked at every run, even if the session only needs their shapes', async () => {
      const like = input('like', [h!]);
      const session = await runtime.load(
        makeProgram('sizes', { y: relu(input('z', [2])), n: dimValue(addDims(h!, 1)) }, { alsoInputs: [like, sizes] }),
      );
      const feeds = { z: float32Tensor([2], [-1, 1]), like: zeros(7), sizes: zeros(1, 1) };
      const { y, n } = await session.run(feeds);
      expect(valuesOf(y)).toEqual([0, 1]);
      expect(n).toEqual({ dtype: 'int64', shape: [], data: BigInt64Array.of(8n) });
      await expect(session.run({ ...feeds, sizes: zeros(1) })).rejects.toThrow('input "sizes" must be');
      await session.dispose();
    });
  });

  describe('a session', () => {
    it('supports every element type', async () => {
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

    it('returns results that later runs do not change, and does not change its inputs', async () => {
      const session = await runtime.load(makeProgram('p', { y: relu(input('x', [batch!])) }));
      const x = float32Tensor([2], [1, -2]);
      const { y } = await session.run({ x });
      await session.run({ x: float32Tensor([3], [7, 8, 9]) });
      expect(valuesOf(y)).toEqual([1, 0]);
      expect(valuesOf(x)).toEqual([1, -2]);
      await session.dispose();
    });

    it('takes parameters as inputs if loaded without weights', async () => {
      const program = makeProgram('p', { y: matmul(input('x', [1, 2]), parameter('weight', [2, 2])) });
      const session = await runtime.load(program);
      const weight = float32Tensor([2, 2], [1, 2, 3, 4]);
      const { y } = await session.run({ x: float32Tensor([1, 2], [1, 1]), weight });
      expect(valuesOf(y)).toEqual([4, 6]);
      await expect(session.run({ x: zeros(1, 2) })).rejects.toThrow('program "p" needs the input "weight"');
      await session.dispose();
    });

    it('rejects runs after dispose, which may be called twice', async () => {
      const session = await runtime.load(makeProgram('gone', { y: relu(input('x', [2])) }));
      await session.dispose();
      await expect(session.run({ x: zeros(2) })).rejects.toThrow('program "gone" was disposed');
      await expect(session.dispose()).resolves.toBeUndefined();
    });

    it('supports concurrent runs', async () => {
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

  describe('query selection', () => {
    it('selects the best boxes without loops, near duplicates last', async () => {
      const candidates = {
        boxesXyxy: input('boxes', [batch!, h!, 4]),
        scores: input('scores', [batch!, h!]),
      };
      const { boxesCxcywh, indices } = selectCandidates(candidates, 3, 0.6);
      const outputs = { selected: boxesCxcywh, order: cast(indices, 'int32') };
      const session = await runtime.load(makeProgram('selection', outputs));
      const boxes = [
        [0, 0, 0.5, 0.5],
        [0, 0, 0.5, 0.45],
        [0.5, 0.5, 1, 1],
        [0.2, 0.2, 0.4, 0.6],
      ];
      const results = await session.run({
        boxes: float32Tensor([2, 4, 4], [...boxes, ...[...boxes].reverse()].flat()),
        scores: float32Tensor([2, 4], [0.9, 0.8, 0.3, 0.1, 0.4, -4, 0.7, 0.6]),
      });
      expect(valuesOf(results['order'])).toEqual([0, 2, 3, 2, 0, 3]);
      expect(valuesOf(results['selected']).slice(0, 4)).toEqual([0.25, 0.25, 0.5, 0.5]);
      await session.dispose();
    });
  });

  describe('device values', () => {
    const twice = makeProgram('twice', { y: mul(input('x', [batch!]), 2), n: sum(input('z', [batch!])) });

    it('can be fed to another program, read, and released', async () => {
      const session = await runtime.load(twice);
      const x = float32Tensor([2], [1, -2]);
      const first = await session.compute({ x, z: x });
      expect(first['y']).toMatchObject({ dtype: 'float32', shape: [2] });
      const second = await session.compute({ x: first['y']!, z: x });
      expect(valuesOf(await second['y']!.read())).toEqual([4, -8]);
      expect(valuesOf((await session.run({ x: second['y']!, z: second['y']! }))['y'])).toEqual([8, -16]);
      expect(valuesOf(await first['y']!.read())).toEqual([2, -4]);
      for (const value of [...Object.values(first), ...Object.values(second)]) value.release();
      await session.dispose();
    });

    it('outlive their session, and cannot be used after release, which may be called twice', async () => {
      const session = await runtime.load(twice);
      const x = float32Tensor([1], [3]);
      const { y, n } = await session.compute({ x, z: x });
      n!.release();
      n!.release();
      await expect(n!.read()).rejects.toThrow('a value float32[] is used after its release');
      await expect(session.run({ x: n!, z: x })).rejects.toThrow(MdetrError);
      await session.dispose();
      expect(valuesOf(await y!.read())).toEqual([6]);
      y!.release();
    });

    it('of an unexpected shape are rejected as inputs', async () => {
      const session = await runtime.load(twice);
      const { y } = await session.compute({ x: zeros(2), z: zeros(2) });
      await expect(session.run({ x: y!, z: zeros(3) })).rejects.toThrow('input "z" has batch = 3, but input "x"');
      y!.release();
      await session.dispose();
    });

    it('may be empty, and may have shapes that depend on values', async () => {
      const program = makeProgram('odd', {
        none: relu(input('x', [batch!, 0])),
        other: reshape(input('sizes', [mulDims(h!, w!)]), [mulDims(h!, w!)]),
      });
      const session = await runtime.load(program);
      const { none, other } = await session.compute({ x: zeros(3, 0), sizes: zeros(6) });
      expect(await none!.read()).toEqual(zeros(3, 0));
      expect(await other!.read()).toEqual(zeros(6));
      none!.release();
      other!.release();
      await session.dispose();
    });

    it('are not overwritten by later runs of the same shapes', async () => {
      const session = await runtime.load(twice);
      const results: DeviceTensor[] = [];
      for (let k = 0; k < 5; k++)
        results.push((await session.compute({ x: float32Tensor([1], [k]), z: zeros(1) }))['y']!);
      expect((await Promise.all(results.map((value) => value.read()))).map((value) => value.data[0])).toEqual([
        0, 2, 4, 6, 8,
      ]);
      for (const value of results) value.release();
      await session.dispose();
    });
  });

  describe('weights', () => {
    it('are part of a program loaded with them', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'mdetr-contract-'));
      const own = await make({ threads: 1, cache: new ProgramCache({ folder }) });
      const session = await own.load(smallProgram(), { weights: countingWeights() });
      const { y } = await session.run({ x: sampleInput });
      expectedY().forEach((value, index) => expect(y!.data[index]).toBeCloseTo(value, 5));
      await session.dispose();
      await rm(folder, { recursive: true });
    });
  });

  describe('a run that fails', () => {
    it('is reported with the message of the library, and the next run works', async () => {
      const ids = input('ids', [batch!], 'int64');
      const session = await runtime.load(makeProgram('rows', { y: gather(parameter('table', [2, 1]), ids) }));
      const table = float32Tensor([2, 1], [5, 6]);
      const run = (...indices: bigint[]) =>
        session.run({ ids: { dtype: 'int64', shape: [indices.length], data: BigInt64Array.from(indices) }, table });
      await expect(run(0n, 7n)).rejects.toThrow(/indices element out of data bounds/);
      expect(valuesOf((await run(1n, 0n))['y'])).toEqual([6, 5]);
      await session.dispose();
    });
  });

  describe('a program that cannot be loaded', () => {
    it('is reported with its name and the device', async () => {
      const flags = input('x', [2], 'bool');
      const program = makeProgram('odd', { y: relu(and(flags, flags)) });
      await expect(runtime.load(program)).rejects.toThrow(`cannot load program "odd" on device "${runtime.device}": `);
      await expect(runtime.load(program)).rejects.toThrow(MdetrError);
    });
  });

  describe('memory', () => {
    it('does not grow over 200 programs that are loaded, run and disposed', async () => {
      // Each session holds a megabyte, so that 200 leaked ones would be noticed.
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
};
