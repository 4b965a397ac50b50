import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import envPaths from 'env-paths';

const SUFFIX = '.mdetr-index';
const STALE_AFTER_MS = 24 * 3600 * 1000;

/** Where the index of an annotation file may lie, the preferred place first: beside the file, else in the cache folder. */
export const indexPaths = (annotationFile: string, cacheFolder = defaultCacheFolder()): string[] => {
  const real = realpathSync(annotationFile);
  const key = createHash('sha256').update(real).digest('hex').slice(0, 16);
  return [`${real}${SUFFIX}`, join(cacheFolder, 'indexes', `${basename(real)}.${key}${SUFFIX}`)];
};

/** The folder that holds everything this package keeps: `MDETR_CACHE`, else `mdetr` in the system's cache folder. */
const defaultCacheFolder = (): string => {
  const set = process.env['MDETR_CACHE'];
  return set === undefined || set === '' ? envPaths('mdetr', { suffix: '' }).cache : set;
};

/** A name for an unfinished index, in the folder where it will be renamed to `indexPath`; no two writers share one. */
export const unfinishedPath = (indexPath: string): string =>
  `${indexPath}.${hostname()}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;

/** Makes the folder of `indexPath` and removes what writers that died left there. Throws when the folder cannot be written. */
export const prepareFolder = (indexPath: string): void => {
  const folder = dirname(indexPath);
  mkdirSync(folder, { recursive: true });
  const prefix = `${basename(indexPath)}.`;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    const path = join(folder, name);
    if (isAbandoned(name.slice(prefix.length), path)) rmSync(path, { force: true });
  }
};

/** `rest` is HOST.PID.RANDOM.tmp: of this host, the process tells; of another, only age. */
const isAbandoned = (rest: string, path: string): boolean => {
  const [, host, pid] = /^(.*)\.(\d+)\.[a-z0-9]+\.tmp$/.exec(rest) ?? [];
  if (host === hostname() && pid !== undefined) return !isRunning(Number(pid));
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > STALE_AFTER_MS;
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};
