import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { float32Tensor, input, makeProgram, parameter, symbolicDim, type HostTensor } from '../../graph/index.ts';
import { matmul, mul, relu, sum } from '../../ops/index.ts';
import { NativeRuntime } from './native-runtime.ts';
import { runtimeContract } from '../../../../test/support/runtime-contract.ts';

describe('NativeRuntime', () => {
  runtimeContract((options) => new NativeRuntime(options));

  const [rows] = ['rows'].map(symbolicDim);
  const square = makeProgram('square', { y: matmul(input('x', [rows!, 256]), input('w', [256, 256])) });
  const ones = (count: number, columns = 256) =>
    float32Tensor([count, columns], new Float32Array(count * columns).fill(1));

  it('does not block the event loop during a run', async () => {
    const session = await new NativeRuntime({ threads: 1 }).load(square);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await session.run({ x: ones(20_000), w: ones(256) });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
    await session.dispose();
  });

  it('waits for a pending run before it disposes a session', async () => {
    const session = await new NativeRuntime({ threads: 1 }).load(square);
    const running = session.run({ x: ones(5_000), w: ones(256) });
    await session.dispose();
    expect((await running)['y']!.data[0]).toBe(256);
  });

  it('reads parameters in place: the next run sees changed values', async () => {
    const session = await new NativeRuntime({ threads: 1 }).load(square);
    const w = { dtype: 'float32', shape: [256, 256], data: new Float32Array(new SharedArrayBuffer(2 ** 18)) } as const;
    expect((await session.run({ x: ones(1), w }))['y']!.data[0]).toBe(0);
    w.data.fill(2);
    expect((await session.run({ x: ones(1), w }))['y']!.data[0]).toBe(512);
    await session.dispose();
  });

  it('keeps the values of parameters from run to run, and takes others when they are fed', async () => {
    const scaled = makeProgram('scaled', {
      y: matmul(input('x', [rows!, 256]), mul(parameter('w', [256, 256]), 1)),
    });
    const session = await new NativeRuntime({ threads: 1 }).load(scaled);
    const filled = (value: number) => {
      const data = new Float32Array(new SharedArrayBuffer(4 * 256 * 256)).fill(value);
      return { dtype: 'float32', shape: [256, 256], data } as const;
    };
    const [first, second] = [filled(1), filled(2)];
    const run = async (w: HostTensor, count = 1): Promise<number> =>
      Number((await session.run({ x: ones(count), w }))['y']!.data[0]);
    expect([await run(first), await run(first)]).toEqual([256, 256]);
    first.data.fill(3);
    expect(await run(first)).toBe(768);
    // While a run reads the kept value, another one takes its own.
    expect(await Promise.all([run(first, 5_000), run(second), run(first), run(ones(256))])).toEqual([
      768, 512, 768, 256,
    ]);
    expect([await run(second), await run(first)]).toEqual([512, 768]);
    await session.dispose();
  });

  it('reuses the memory of released values, over 500 steps of varying shapes', async () => {
    const runtime = new NativeRuntime({ threads: 1 });
    const session = await runtime.load(square);
    const w = ones(256);
    const step = async (count: number): Promise<void> => {
      const first = await session.compute({ x: ones(count), w });
      const second = await session.compute({ x: first['y']!, w });
      first['y']!.release();
      second['y']!.release();
    };
    for (let k = 0; k < 50; k++) await step(1 + ((k * 389) % 1000));
    const before = process.memoryUsage().rss;
    for (let k = 0; k < 500; k++) await step(1 + ((k * 389) % 1000));
    expect(runtime.bytesInUse).toBe(0);
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(60);
    await session.dispose();
  });

  it('runs sessions one after another in the same memory, and frees it with the last session', async () => {
    const runtime = new NativeRuntime({ threads: 1 });
    const megabytes = (): number => process.memoryUsage().rss / 2 ** 20;
    const wide = [1, 2, 3, 4].map((k) => {
      const x = input('x', [rows!, 256]);
      const w = input('w', [256, 256]);
      return makeProgram(`wide${k}`, { y: sum(matmul(relu(matmul(x, w)), w)) });
    });
    const before = megabytes();
    const sessions = await Promise.all(wide.map((program) => runtime.load(program)));
    const feeds = { x: ones(60_000), w: ones(256) };
    const grown: number[] = [];
    for (const session of sessions) {
      expect((await session.run(feeds))['y']!.shape).toEqual([]);
      grown.push(megabytes() - before);
    }
    // The products take 59 MB each.
    expect(grown[3]! - grown[0]!).toBeLessThan(40);
    await Promise.all(sessions.map((session) => session.dispose()));
    expect(megabytes() - before).toBeLessThan(grown[3]! - 40);
  });

  it('releases memory when a run fails', async () => {
    const runtime = new NativeRuntime({ threads: 1 });
    const session = await runtime.load(makeProgram('p', { y: relu(input('x', [rows!])) }));
    await expect(session.compute({ x: ones(1) })).rejects.toThrow('input "x" must be');
    expect(runtime.bytesInUse).toBe(0);
    await session.dispose();
  });

  it('writes a profile of every session with profilePrefix', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mdetr-profile-'));
    const session = await new NativeRuntime({ threads: 1, profilePrefix: join(folder, 'p') }).load(square);
    await session.run({ x: ones(2), w: ones(256) });
    await session.dispose();
    const [file] = readdirSync(folder);
    expect(existsSync(join(folder, file!))).toBe(true);
    expect(readFileSync(join(folder, file!), 'utf8')).toContain('MatMul');
    rmSync(folder, { recursive: true });
  });
});
