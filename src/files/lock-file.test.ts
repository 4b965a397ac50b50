import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/weight-files.ts';
import { MdetrError } from '../errors.ts';
import { LockFile } from './lock-file.ts';
import { isAlive, thisProcess, type Owner } from './owner.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const busy = ({ pid }: Owner): string => `in use by process ${pid}`;
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

describe('LockFile', () => {
  it('is held by one at a time and names the holder', () => {
    const path = folder.file('a.lock');
    const lock = LockFile.take(path, busy);
    expect(() => LockFile.take(path, busy)).toThrow(MdetrError);
    expect(() => LockFile.take(path, busy)).toThrow(`in use by process ${process.pid}; wait for it, or delete ${path}`);
    lock.release();
    expect(existsSync(path)).toBe(false);
    LockFile.take(path, busy).release();
  });

  it.each([
    ['a process that has ended', () => JSON.stringify({ ...thisProcess(), pid: deadPid() })],
    ['an earlier process with the same id', () => JSON.stringify({ ...thisProcess(), start: '1' })],
    ['a process that was killed while it wrote the file', () => '{"pid":'],
    ['a process that was killed before it wrote the file', () => ''],
  ])('is taken over from %s', (_, contents) => {
    if (process.platform !== 'linux' && contents().includes('"start":"1"')) return;
    const path = folder.file('b.lock', contents());
    const lock = LockFile.take(path, busy);
    expect(readFileSync(path, 'utf8')).toContain(`"pid":${process.pid}`);
    lock.release();
    expect(readdirSync(folder.path).filter((name) => name.startsWith('b.lock'))).toEqual([]);
  });

  it('is not taken from a process of another machine', () => {
    const path = folder.file('c.lock', JSON.stringify({ pid: 1, host: `not-${hostname()}` }));
    expect(() => LockFile.take(path, busy)).toThrow(/in use by process 1/);
  });

  it('leaves the lock of another process alone when it is given back', () => {
    const path = folder.file('d.lock');
    const lock = LockFile.take(path, busy);
    folder.file('d.lock', 'of another process');
    lock.release();
    expect(readFileSync(path, 'utf8')).toBe('of another process');
  });

  it('names a folder that cannot be written', () => {
    expect(() => LockFile.take(folder.file('none/x.lock'), busy)).toThrow(/x\.lock: cannot be written/);
  });
});

describe('isAlive', () => {
  it('knows this process, and assumes that those of other containers run', () => {
    expect(isAlive(thisProcess())).toBe(true);
    expect(isAlive({ ...thisProcess(), pid: deadPid() })).toBe(false);
    expect(isAlive({ pid: deadPid(), host: hostname(), namespace: 'pid:[1]' })).toBe(true);
  });
});
