import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NameTable } from './name-table.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-table-'));
  vi.stubEnv('TMPDIR', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe('NameTable', () => {
  it.each([
    ['in memory', 1e6],
    ['in a file', 10],
  ])('is a map from names to numbers, %s', (_, held) => {
    const table = new NameTable(held);
    const expected = new Map<string, number>();
    for (let i = 0; i < 3000; i++) {
      const name = `photos/${(i * 7919) % 2000}.jpg`;
      table.set(name, i);
      expected.set(name, i);
    }
    table.set('', 4_000_000_000);
    for (const [name, value] of expected) expect(table.get(name)).toBe(value);
    expect(table.get('')).toBe(4_000_000_000);
    expect(table.get('photos/2000.jpg')).toBeUndefined();
    table.close();
    expect(table.get('')).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('grows beyond the first size of its file', () => {
    const table = new NameTable(10);
    const count = 33_000;
    const names = Array.from({ length: count }, (_, i) => String(i));
    expect(names.filter((name) => !table.add(name))).toEqual([]);
    expect(names.filter((name, i) => i % 9 === 0 && table.add(name))).toEqual([]);
    expect(table.add(String(count))).toBe(true);
    table.close();
  });

  it('says where temporary files cannot be written', () => {
    vi.stubEnv('TMPDIR', join(folder, 'none'));
    const table = new NameTable(0);
    expect(() => table.set('a', 1)).toThrow(/temporary files cannot be written .*TMPDIR/);
  });
});
