import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  statSync,
  cpSync,
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

const expectCorrectOutput = async (session: Session, factor = 1): Promise<void> => {
  const { y } = await session.run({ x: sampleInput });
  const expected = expectedY(factor);
  const difference = Math.max(...expected.map((value, index) => Math.abs(value - Number(y!.data[index]))));
  expect(difference).toBeLessThan(1e-5);
};

/** Starts a process that loads the program from the same cache folder. */
const startChild = (mode: 'load' | 'hang') =>
  spawn(
    process.execPath,
    ['--import', 'tsx', new URL('../../../../test/support/compile-child.ts', import.meta.url).pathname, folder, mode],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );

const outputOf = async (process: ReturnType<typeof startChild>): Promise<string> => {
  let output = '';
  process.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(process, 'close')) as [number | null];
  expect(status).toBe(0);
  return output;
};

describe('a program with weights', () => {
  it('computes with its weights; the second load reads none', async () => {
    const { cache, runtime } = open();
    const first = countingWeights();
    await expectCorrectOutput(await load(runtime, first));
    expect([...first.reads].sort()).toEqual(['bias', 'plain', 'scale', 'weight']);
    const second = countingWeights();
    await expectCorrectOutput(await load(runtime, second));
    expect(second.reads).toEqual([]);
    // A later process has only the folder.
    const later = countingWeights();
    await expectCorrectOutput(await load(open().runtime, later));
    expect(later.reads).toEqual([]);
    const entries = await cache.entries();
    expect(entries).toMatchObject([{ program: 'small' }]);
    expect(entries[0]!.bytes).toBeGreaterThan(16 * 32 * 4 + 16 * 64 * 4);
  });

  it('gets a new entry when the digest of the weights changes', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights());
    const other = countingWeights({ digest: 'weights-2' });
    await load(runtime, other);
    expect(other.reads).toHaveLength(4);
    expect(await cache.entries()).toHaveLength(2);
  });

  it('gets a new entry when only the computation of its derived weights changes', async () => {
    const { cache, runtime } = open();
    await expectCorrectOutput(await load(runtime, countingWeights(), smallProgram(1)), 1);
    await expectCorrectOutput(await load(runtime, countingWeights(), smallProgram(3)), 3);
    await expectCorrectOutput(await load(runtime, countingWeights(), smallProgram(1)), 1);
    expect(await cache.entries()).toHaveLength(2);
  });

  it('may have a name that is not a valid file name', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights(), smallProgram(1, '../odd/näme'));
    expect(await cache.entries()).toMatchObject([{ program: '.._odd_n_me' }]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('rejects a weight of another shape or dtype, and leaves no files', async () => {
    const { cache, runtime } = open();
    const wrong = (value: HostTensor): WeightSource => {
      const weights = countingWeights();
      return { digest: 'wrong', read: async (name) => (name === 'plain' ? value : weights.read(name)) };
    };
    const transposed = { dtype: 'float32', shape: [64, 16], data: new Float32Array(1024) } as const;
    await expect(load(runtime, wrong(transposed))).rejects.toThrow(
      'the weight "plain" must be float32[16, 64], got float32[64, 16]',
    );
    const double = { dtype: 'float64', shape: [16, 64], data: new Float64Array(1024) } as const;
    await expect(load(runtime, wrong(double))).rejects.toThrow('got float64[16, 64]');
    expect(await cache.entries()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('rethrows errors of the weight source', async () => {
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

describe('concurrent loads', () => {
  it('in one process write one entry', async () => {
    const { cache, runtime } = open();
    const loaded = await Promise.all([load(runtime, countingWeights()), load(runtime, countingWeights())]);
    for (const session of loaded) await expectCorrectOutput(session);
    expect(await cache.entries()).toHaveLength(1);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('in two processes write one entry, which both use', async () => {
    const results = await Promise.all([outputOf(startChild('load')), outputOf(startChild('load'))]);
    for (const result of results) {
      const { y } = JSON.parse(result) as { y: number[] };
      expect(Math.max(...expectedY().map((value, index) => Math.abs(value - y[index]!)))).toBeLessThan(1e-5);
    }
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('ignore what a killed process has left, and remove it', async () => {
    const killed = startChild('hang');
    await once(killed.stdout, 'data');
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const [left, ...more] = readdirSync(folder);
    expect(more).toEqual([]);
    expect(left).toMatch(/^\.entry\./);
    const { cache, runtime } = open();
    expect(await cache.entries()).toEqual([]);
    const weights = countingWeights();
    await expectCorrectOutput(await load(runtime, weights));
    expect(weights.reads).toHaveLength(4);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('write an entry again that another process removes between finding and loading it', async () => {
    const { cache, runtime } = open();
    const compile = cache.compile.bind(cache);
    let stolen = 0;
    vi.spyOn(cache, 'compile').mockImplementation(async (...call) => {
      const path = await compile(...call);
      if (stolen++ === 0) rmSync(join(path, '..'), { recursive: true });
      return path;
    });
    await expectCorrectOutput(await load(runtime, countingWeights()));
    expect(stolen).toBe(2);
  });
});

describe('a damaged entry', () => {
  it('with incomplete or missing weights is detected and written again', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights());
    const [entry] = await cache.entries();
    truncateSync(join(folder, entry!.key, 'weights.bin'), 100);
    const again = countingWeights();
    await expectCorrectOutput(await load(open().runtime, again));
    expect(again.reads).toHaveLength(4);
    rmSync(join(folder, entry!.key, 'weights.bin'));
    await expectCorrectOutput(await load(open().runtime, countingWeights()));
  });

  it.each(['model.onnx', 'weights.bin', 'seal.json'])(
    'with other bytes of the same length in %s is written again',
    async (name) => {
      const { cache, runtime } = open();
      await load(runtime, countingWeights());
      const [entry] = await cache.entries();
      const path = join(folder, entry!.key, name);
      const { size, atime, mtime } = statSync(path);
      writeFileSync(path, Buffer.alloc(size));
      utimesSync(path, atime, mtime);
      const again = countingWeights();
      await expectCorrectOutput(await load(open().runtime, again));
      expect(again.reads).toHaveLength(4);
      expect(statSync(path).size).toBeGreaterThan(0);
    },
  );

  it('is told from one that was copied', async () => {
    const { cache, runtime } = open();
    await load(runtime, countingWeights());
    const [entry] = await cache.entries();
    const path = join(folder, entry!.key);
    cpSync(path, `${path}-copy`, { recursive: true });
    rmSync(path, { recursive: true });
    cpSync(`${path}-copy`, path, { recursive: true });
    rmSync(`${path}-copy`, { recursive: true });
    const again = countingWeights();
    await expectCorrectOutput(await load(open().runtime, again));
    expect(again.reads).toEqual([]);
  });
});

describe('the size limit', () => {
  it('removes the least recently used entries', async () => {
    const probe = open();
    await load(probe.runtime, countingWeights({ digest: 'a' }));
    const { bytes } = (await probe.cache.entries())[0]!;
    const { cache, runtime } = open({ capBytes: 2.5 * bytes });
    await load(runtime, countingWeights({ digest: 'b' }));
    // Otherwise the order would depend on the resolution of the file system's clock.
    const [b, a] = await cache.entries();
    const age = (key: string, minutes: number): void => {
      const at = new Date(Date.now() - minutes * 60_000);
      utimesSync(join(folder, key), at, at);
    };
    age(a!.key, 20);
    age(b!.key, 10);
    await load(runtime, countingWeights({ digest: 'a' })); // now more recent than b
    await load(runtime, countingWeights({ digest: 'c' }));
    const keptAlive = (await cache.entries()).map(({ key }) => key);
    expect(keptAlive).toHaveLength(2);
    expect(keptAlive).toContain(a!.key);
    expect(keptAlive).not.toContain(b!.key);
  });

  it('never removes the newest entry', async () => {
    const { cache, runtime } = open({ capBytes: 0 });
    await expectCorrectOutput(await load(runtime, countingWeights({ digest: 'a' })));
    const second = await load(runtime, countingWeights({ digest: 'b' }));
    expect(await cache.entries()).toHaveLength(1);
    // A loaded program keeps working after its entry was removed.
    await load(runtime, countingWeights({ digest: 'c' }));
    await expectCorrectOutput(second);
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
  it('removes all or the selected entries, and returns the number of freed bytes', async () => {
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

  it('does nothing if the folder does not exist', async () => {
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

  it('is named with MDETR_CACHE in an error if it cannot be created', async () => {
    writeFileSync(join(folder, 'a file'), '');
    vi.stubEnv('MDETR_CACHE', join(folder, 'a file'));
    const failed = load(new NodeRuntime({ threads: 1 }), countingWeights());
    await expect(failed).rejects.toThrow(MdetrError);
    await expect(failed).rejects.toThrow(
      /^cannot write to the cache folder ".*a file.programs": ENOTDIR.*Set MDETR_CACHE to a folder/,
    );
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'may be read-only: its entries are used, and a new one is an error (not as root, who may write anyway)',
    async () => {
      await load(open().runtime, countingWeights());
      chmodSync(folder, 0o500);
      try {
        const used = countingWeights();
        await expectCorrectOutput(await load(open().runtime, used));
        expect(used.reads).toEqual([]);
        await expect(load(open().runtime, countingWeights({ digest: 'b' }))).rejects.toThrow('MDETR_CACHE');
      } finally {
        chmodSync(folder, 0o700);
      }
    },
  );

  it('may contain other files', async () => {
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(folder, 'notes.txt'), 'hello');
    const { cache, runtime } = open();
    await expectCorrectOutput(await load(runtime, countingWeights()));
    expect((await cache.entries()).filter(({ program }) => program === 'small')).toHaveLength(1);
  });
});
