import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { float32Tensor, input, makeProgram, parameter, symbolicDim } from '../../graph/index.ts';
import { matmul, relu } from '../../ops/index.ts';
import { NativeRuntime } from '../native/native-runtime.ts';
import type { WeightSource } from '../runtime.ts';
import { ProgramCache } from './program-cache.ts';

describe('an optimized program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-optimized-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const cache = new ProgramCache({ folder });
  const runtime = new NativeRuntime({ threads: 1, cache });
  const weight = float32Tensor(
    [64, 64],
    Float32Array.from({ length: 4096 }, (_, k) => Math.sin(k)),
  );
  const weights: WeightSource = { digest: 'w', read: () => Promise.resolve(weight) };
  const x = input('x', [symbolicDim('rows'), 64]);
  const program = makeProgram('layers', {
    y: relu(matmul(relu(matmul(x, parameter('a', [64, 64]))), parameter('b', [64, 64]))),
  });
  const feeds = {
    x: float32Tensor(
      [3, 64],
      Float32Array.from({ length: 192 }, (_, k) => Math.cos(k)),
    ),
  };

  const run = async (compiled: string, isCached: boolean): Promise<Float32Array> => {
    const session = await runtime.load(program, { compiled, isCached });
    const { y } = await session.run(feeds);
    const values = Float32Array.from(y!.data as Float32Array);
    await session.dispose();
    return values;
  };

  it('is stored beside its program, computes the same, and is replaced when it is damaged', async () => {
    const compiled = await cache.compile(program, weights, runtime);
    const filesOf = (): string[] => readdirSync(dirname(compiled)).filter((name) => name.startsWith('optimized-'));
    const expected = await run(compiled, false);
    expect(filesOf()).toEqual([]);
    expect(await run(compiled, true)).toEqual(expected);
    const names = filesOf();
    expect(names.map((name) => name.replaceAll(/[\da-f]{16}/g, '')).sort()).toEqual([
      'optimized--.bin',
      'optimized-.json',
      'optimized-.onnx',
    ]);
    const pathOf = (ending: string): string =>
      join(
        dirname(compiled),
        filesOf().find((name) => name.endsWith(ending))!,
      );
    expect(await run(compiled, true)).toEqual(expected);
    for (const ending of ['.onnx', '.bin', '.json']) {
      const path = pathOf(ending);
      const { byteLength } = readFileSync(path);
      writeFileSync(path, readFileSync(path).subarray(0, 100));
      expect(await run(compiled, true)).toEqual(expected);
      expect(readFileSync(pathOf(ending)).byteLength).toBe(byteLength);
      rmSync(pathOf(ending));
      expect(await run(compiled, true)).toEqual(expected);
      expect(filesOf()).toHaveLength(3);
    }
  });
});
