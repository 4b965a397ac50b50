import { homedir, tmpdir, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** Value of an environment variable; an empty one counts as unset. */
export const environmentSetting = (name: string): string | undefined =>
  process.env[name] === '' ? undefined : process.env[name];

/** The home folder; undefined without HOME and an entry in the password file, as in containers. */
const homeFolder = (): string | undefined => {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
};

/** An absolute path in an environment variable: relative ones are ignored, as the XDG specification says. */
const absoluteSetting = (name: string): string | undefined => {
  const value = environmentSetting(name);
  return value !== undefined && isAbsolute(value) ? value : undefined;
};

/** A folder for temporary files that no other user shares. */
const userTemporaryFolder = (): string => {
  let user = '';
  try {
    user = `-${String(userInfo().uid)}`;
  } catch {
    user = process.getuid === undefined ? '' : `-${String(process.getuid())}`;
  }
  return join(tmpdir(), `mdetr${user}`);
};

const systemCacheFolder = (): string => {
  const home = homeFolder();
  if (process.platform === 'darwin' && home !== undefined) return join(home, 'Library', 'Caches', 'mdetr');
  if (process.platform === 'win32') {
    const local = absoluteSetting('LOCALAPPDATA') ?? (home === undefined ? undefined : join(home, 'AppData', 'Local'));
    return local === undefined ? userTemporaryFolder() : join(local, 'mdetr', 'Cache');
  }
  const cache = absoluteSetting('XDG_CACHE_HOME') ?? (home === undefined ? undefined : join(home, '.cache'));
  return cache === undefined ? userTemporaryFolder() : join(cache, 'mdetr');
};

/**
 * Folder of everything that can be made or fetched again: `MDETR_CACHE`, or `mdetr` in the system's cache folder. Without a
 * home folder it is in the folder for temporary files.
 */
export const cacheFolder = (): string => {
  const set = environmentSetting('MDETR_CACHE');
  return set === undefined ? systemCacheFolder() : resolve(set);
};
