import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MdetrError } from '../../../errors.ts';
import type { HostTensor } from '../../graph/index.ts';
import { NodeRuntime } from './node-runtime.ts';
import { ProgramCache } from './program-cache.ts';
import { cacheFolder } from '../../../files/cache-folder.ts';
import type { Session, WeightSource } from '../runtime.ts';
import { countingWeights, expectedY, sampleInput, smallProgram } from '../../../../test/support/small-program.ts';

let folder = '';
const sessions: Session[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-programs-'));
});
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.dispose();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const open = (options: { readonly capBytes?: number } = {}): { cache: ProgramCache; runtime: NodeRuntime } => {
  const cache = new ProgramCache({ folder, ...options });
  return { cache, runtime: new NodeRuntime({ threads: 1, cache }) };
};

const load = async (runtime: NodeRuntime, weights: WeightSource, program = smallProgram()): Promise<Session> => {
  const session = await runtime.load(program, { weights });
  sessions.push(session);
  return session;
};

const expectRight = async (session: Session, factor = 1): Promise<void> => {
  const { y } = await session.run({ x: sampleInput });
  const expected = expectedY(factor);
  const difference = Math.max(...expected.map((value, index) => Math.abs(value - Number(y!.data[index]))));
  expect(difference).toBeLessThan(1e-5);
};

/** Starts a process that loads the program through the same folder. */
const child = (mode: 'load' | 'hang') =>
  spawn(
    process.execPath,
    ['--import', 'tsx', new URL('../../../../test/support/compile-child.ts', import.meta.url).pathname, folder, mode],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );

const outputOf = async (process: ReturnType<typeof child>): Promise<string> => {
  let text = '';
  process.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [status] = (await once(process, 'close')) as [number | null];
  expect(status).toBe(0);
  return text;
};

describe('a program with weights', () => {
  it('computes with them; the second load reads none', async () => {
    const { cache, runtime } = open();
    const first = countingWeights();
    await expectRight(await load(runtime, first));
    expect([...first.reads].sort()).toEqual(['bias', 'plain', 'scale', 'weight']);
    const second = countingWeights();
    await expectRight(await load(runtime, second));
    expect(second.reads).toEqual([]);
    // A process of another day: nothing is kept but the folder.
    const later = countingWeights();
    await expectRight(await load(open().runtime, later));
    expect(later.reads).toEqual([]);
    const entries = await cache.entries();
    expect(entries).toMatchObject([{ program: 'small' }]);
    expect(entries[0]!.bytes).toBeGreaterThan(16 * 32 * 4 + 16 * 64 * 4);
  });

  it('has a new entry when the digest of the weights changes', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights());
    const other = countingWeights({ digest: 'weights-2' });
    await load(runtime, other);
    expect(other.reads).toHaveLength(4);
    expect(await cache.entries()).toHaveLength(2);
  });

  it('has a new entry when only the making of its derived weights changes', async () => {
    const { cache, runtime } = open();
    await expectRight(await load(runtime, countingWeights(), smallProgram(1)), 1);
    await expectRight(await load(runtime, countingWeights(), smallProgram(3)), 3);
    await expectRight(await load(runtime, countingWeights(), smallProgram(1)), 1);
    expect(await cache.entries()).toHaveLength(2);
  });

  it('may have a name that is no file name', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights(), smallProgram(1, '../odd/näme'));
    expect(await cache.entries()).toMatchObject([{ program: '.._odd_n_me' }]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('refuses a weight of another shape or type, and leaves nothing behind', async () => {
    const { cache, runtime } = open();
    const wrong = (value: HostTensor): WeightSource => {
      const weights = countingWeights();
      return { digest: 'wrong', read: async (name) => (name === 'plain' ? value : weights.read(name)) };
    };
    const turned = { dtype: 'float32', shape: [64, 16], data: new Float32Array(1024) } as const;
    await expect(load(runtime, wrong(turned))).rejects.toThrow(
      'the weight "plain" must be float32[16, 64], got float32[64, 16]',
    );
    const double = { dtype: 'float64', shape: [16, 64], data: new Float64Array(1024) } as const;
    await expect(load(runtime, wrong(double))).rejects.toThrow('got float64[16, 64]');
    expect(await cache.entries()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('passes on what the source of the weights has to say', async () => {
    const { runtime } = open();
    const missing = countingWeights({
      onRead: (name) => {
        throw new MdetrError(`model.pth has no ${name}`);
      },
    });
    await expect(load(runtime, missing)).rejects.toThrow(/^model\.pth has no /);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('several at once', () => {
  it('two loads in one process make one entry', async () => {
    const { cache, runtime } = open();
    const loaded = await Promise.all([load(runtime, countingWeights()), load(runtime, countingWeights())]);
    for (const session of loaded) await expectRight(session);
    expect(await cache.entries()).toHaveLength(1);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('two processes make one entry, and both compute with it', async () => {
    const results = await Promise.all([outputOf(child('load')), outputOf(child('load'))]);
    for (const result of results) {
      const { y } = JSON.parse(result) as { y: number[] };
      expect(Math.max(...expectedY().map((value, index) => Math.abs(value - y[index]!)))).toBeLessThan(1e-5);
    }
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('a process killed half-way leaves nothing that is taken for whole, and what it leaves is cleared in time', async () => {
    const killed = child('hang');
    await once(killed.stdout, 'data');
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const [left, ...more] = readdirSync(folder);
    expect(more).toEqual([]);
    expect(left).toMatch(/^\./);
    const { cache, runtime } = open();
    expect(await cache.entries()).toEqual([]);
    const weights = countingWeights();
    await expectRight(await load(runtime, weights));
    expect(weights.reads).toHaveLength(4);
    expect(readdirSync(folder)).toHaveLength(2); // it might still be writing
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    utimesSync(join(folder, left!), longAgo, longAgo);
    await cache.clear(() => false);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('an entry that another process removes between finding and loading is made again', async () => {
    const { cache, runtime } = open();
    const compile = cache.compile.bind(cache);
    let stolen = 0;
    vi.spyOn(cache, 'compile').mockImplementation(async (...call) => {
      const path = await compile(...call);
      if (stolen++ === 0) rmSync(join(path, '..'), { recursive: true });
      return path;
    });
    await expectRight(await load(runtime, countingWeights()));
    expect(stolen).toBe(2);
  });
});

describe('damage', () => {
  it('of the weights, by a full disk or by hand, is noticed and mended', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights());
    const [entry] = await cache.entries();
    truncateSync(join(folder, entry!.key, 'weights.bin'), 100);
    const again = countingWeights();
    await expectRight(await load(open().runtime, again));
    expect(again.reads).toHaveLength(4);
    rmSync(join(folder, entry!.key, 'weights.bin'));
    await expectRight(await load(open().runtime, countingWeights()));
  });

  it('of the model is an error that names the file', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights());
    const [entry] = await cache.entries();
    writeFileSync(join(folder, entry!.key, 'model.onnx'), 'no model');
    await expect(load(runtime, countingWeights())).rejects.toThrow(
      new RegExp(`^cannot load program "small" on device "cpu": .*${entry!.key}`),
    );
  });
});

describe('room', () => {
  it('is made by removing what was used least lately', async () => {
    const probe = open();
    await load(probe.runtime, countingWeights({ digest: 'a' }));
    const { bytes } = (await probe.cache.entries())[0]!;
    const { cache, runtime } = open({ capBytes: 2.5 * bytes });
    await load(runtime, countingWeights({ digest: 'b' }));
    // Without this the order would hang on the resolution of the file system's clock.
    const [b, a] = await cache.entries();
    const age = (key: string, minutes: number): void => {
      const at = new Date(Date.now() - minutes * 60_000);
      utimesSync(join(folder, key), at, at);
    };
    age(a!.key, 20);
    age(b!.key, 10);
    await load(runtime, countingWeights({ digest: 'a' })); // used again: now younger than b
    await load(runtime, countingWeights({ digest: 'c' }));
    const kept = (await cache.entries()).map(({ key }) => key);
    expect(kept).toHaveLength(2);
    expect(kept).toContain(a!.key);
    expect(kept).not.toContain(b!.key);
  });

  it('for the newest there is always', async () => {
    const { cache, runtime } = open({ capBytes: 0 });
    await expectRight(await load(runtime, countingWeights({ digest: 'a' })));
    const second = await load(runtime, countingWeights({ digest: 'b' }));
    expect(await cache.entries()).toHaveLength(1);
    // What is loaded goes on although its file is gone.
    await load(runtime, countingWeights({ digest: 'c' }));
    await expectRight(second);
  });

  it('is set by MDETR_CACHE_GB, which must be a number', () => {
    vi.stubEnv('MDETR_CACHE_GB', 'plenty');
    expect(() => open()).toThrow('MDETR_CACHE_GB must be a number of gigabytes, got "plenty"');
    vi.stubEnv('MDETR_CACHE_GB', '-1');
    expect(() => open()).toThrow(MdetrError);
    vi.stubEnv('MDETR_CACHE_GB', '');
    expect(() => open()).not.toThrow();
  });
});

describe('clear', () => {
  it('removes all or what is asked for, and says how many bytes that freed', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights({ digest: 'a' }));
    await load(runtime, countingWeights({ digest: 'b' }));
    const [first, second] = await cache.entries();
    expect(await cache.clear(({ key }) => key === first!.key)).toBe(first!.bytes);
    expect((await cache.entries()).map(({ key }) => key)).toEqual([second!.key]);
    expect(await cache.clear()).toBe(second!.bytes);
    expect(await cache.entries()).toEqual([]);
    expect(await cache.clear()).toBe(0);
  });

  it('of a folder that is not there does nothing', async () => {
    const cache = new ProgramCache({ folder: join(folder, 'none') });
    expect(await cache.clear()).toBe(0);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

describe('the folder', () => {
  it('is MDETR_CACHE, or the cache folder of the system', () => {
    vi.stubEnv('MDETR_CACHE', join(folder, 'mine'));
    expect(cacheFolder()).toBe(join(folder, 'mine'));
    expect(new ProgramCache().folder).toBe(join(folder, 'mine', 'programs'));
    vi.stubEnv('MDETR_CACHE', '');
    expect(cacheFolder()).toMatch(/mdetr/);
  });

  it('that cannot be made is an error that names MDETR_CACHE', async () => {
    writeFileSync(join(folder, 'a file'), '');
    vi.stubEnv('MDETR_CACHE', join(folder, 'a file'));
    const failed = load(new NodeRuntime({ threads: 1 }), countingWeights());
    await expect(failed).rejects.toThrow(MdetrError);
    await expect(failed).rejects.toThrow(
      /^cannot write to the cache folder ".*a file.programs": ENOTDIR.*Set MDETR_CACHE to a folder/,
    );
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'that cannot be written is one, too, but an entry in it is used (not as root, whom no permission stops)',
    async () => {
      await load(open().runtime, countingWeights());
      chmodSync(folder, 0o500);
      try {
        const used = countingWeights();
        await expectRight(await load(open().runtime, used));
        expect(used.reads).toEqual([]);
        await expect(load(open().runtime, countingWeights({ digest: 'b' }))).rejects.toThrow('MDETR_CACHE');
      } finally {
        chmodSync(folder, 0o700);
      }
    },
  );

  it('may hold what is not an entry', async () => {
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(folder, 'notes.txt'), 'hello');
    const { cache, runtime } = open();
    await expectRight(await load(runtime, countingWeights()));
    expect((await cache.entries()).filter(({ program }) => program === 'small')).toHaveLength(1);
  });
});
