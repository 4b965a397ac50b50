import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { BUNDLE_WRAPPER, evaluateBundle, type EvaluatedBundle } from './code-cache.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-code-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a bundle in the code cache', () => {
  const code = join(folder, 'code');
  const path = join(folder, 'bundle.cjs');
  const bundle = { path, name: 'bundle-1' };
  const file = join(code, bundle.name);
  const evaluate = (): EvaluatedBundle => evaluateBundle(bundle, code);

  beforeEach(() => {
    rmSync(code, { recursive: true, force: true });
    writeFileSync(
      path,
      BUNDLE_WRAPPER.join(`const { join } = require('node:path'); const twice = (x) => 2 * x;
      module.exports = { twice, url: MDETR_BUNDLE_URL, path: join('a', 'b'), load: () => MDETR_IMPORT('node:os') };`),
    );
  });

  const check = async ({ exports }: EvaluatedBundle): Promise<void> => {
    const found = exports as { twice: (x: number) => number; url: string; path: string; load: () => Promise<object> };
    expect(found.twice(21)).toBe(42);
    expect(found.url).toBe(pathToFileURL(path).href);
    expect(found.path).toBe(join('a', 'b'));
    expect(await found.load()).toHaveProperty('hostname');
  };

  it('is evaluated without compiled code, and with that of an earlier evaluation', async () => {
    const first = evaluate();
    expect(first.isCached).toBe(false);
    await check(first);
    first.store();
    expect(readdirSync(code)).toEqual([bundle.name]);
    const second = evaluate();
    expect(second.isCached).toBe(true);
    await check(second);
  });

  it('ignores compiled code that is damaged, cut off or empty', async () => {
    evaluate().store();
    const bytes = readFileSync(file);
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 20]! ^= 1;
    for (const contents of [damaged, bytes.subarray(0, 100), bytes.subarray(0, 20), Buffer.alloc(0)]) {
      writeFileSync(file, contents);
      const found = evaluate();
      expect(found.isCached).toBe(false);
      await check(found);
    }
  });

  it.skipIf(process.platform === 'win32')('ignores compiled code that other users may write', () => {
    evaluate().store();
    chmodSync(file, 0o666);
    expect(evaluate().isCached).toBe(false);
  });

  it('removes code that was written long ago', () => {
    evaluate().store();
    const old = join(code, 'bundle-0');
    writeFileSync(old, '');
    utimesSync(old, 1, 1);
    evaluate().store();
    expect(readdirSync(code)).toEqual([bundle.name]);
  });

  it('is evaluated where nothing can be stored', async () => {
    writeFileSync(code, ''); // no folder
    const found = evaluate();
    found.store();
    await check(evaluate());
  });
});
