import os from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { cacheFolder } from './cache-folder.ts';

vi.mock('node:os', async (original) => {
  const actual = await original<typeof os>();
  return { ...actual, homedir: vi.fn(actual.homedir), userInfo: vi.fn(actual.userInfo) };
});
const { homedir, userInfo } = await import('node:os');

afterEach(() => {
  vi.unstubAllEnvs();
  vi.mocked(homedir).mockReset();
});

it('is MDETR_CACHE, as an absolute path; an empty one counts as unset', () => {
  vi.stubEnv('MDETR_CACHE', 'my-cache');
  expect(cacheFolder()).toBe(resolve('my-cache'));
  vi.stubEnv('MDETR_CACHE', '');
  vi.mocked(homedir).mockReturnValue('/home/me');
  expect(isAbsolute(cacheFolder())).toBe(true);
});

it.skipIf(process.platform !== 'linux')('follows XDG_CACHE_HOME unless it is relative', () => {
  vi.stubEnv('MDETR_CACHE', '');
  vi.mocked(homedir).mockReturnValue('/home/me');
  vi.stubEnv('XDG_CACHE_HOME', '/var/cache');
  expect(cacheFolder()).toBe('/var/cache/mdetr');
  for (const unusable of ['', 'relative']) {
    vi.stubEnv('XDG_CACHE_HOME', unusable);
    expect(cacheFolder()).toBe('/home/me/.cache/mdetr');
  }
});

it('is below the folder for temporary files without a home folder and an entry of the user', () => {
  vi.stubEnv('MDETR_CACHE', '');
  vi.stubEnv('XDG_CACHE_HOME', '');
  vi.stubEnv('LOCALAPPDATA', '');
  const missing = () => {
    throw new Error('ENOENT');
  };
  vi.mocked(homedir).mockImplementation(missing);
  vi.mocked(userInfo).mockImplementation(missing);
  expect(cacheFolder().startsWith(join(os.tmpdir(), 'mdetr'))).toBe(true);
  vi.mocked(homedir).mockReturnValue('');
  expect(cacheFolder().startsWith(join(os.tmpdir(), 'mdetr'))).toBe(true);
});
