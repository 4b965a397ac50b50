import { createHash } from 'node:crypto';
import { accessSync, constants, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cacheFolder as packageCacheFolder } from '../../files/cache-folder.ts';
import { makeFolderSync } from '../../files/make-folder.ts';
import { isRunning } from '../../files/owner.ts';

const SUFFIX = '.mdetr-index';
const STALE_AFTER_MS = 24 * 3600 * 1000;

/** Possible paths of the index of an annotation file, in order of preference: beside the file, in the cache folder. */
export const indexPaths = (annotationFile: string, cacheFolder = packageCacheFolder()): string[] => {
  const real = realpathSync(annotationFile);
  const key = createHash('sha256').update(real).digest('hex').slice(0, 16);
  return [`${real}${SUFFIX}`, join(cacheFolder, 'indexes', `${basename(real)}.${key}${SUFFIX}`)];
};

/** Path of an unfinished index, unique to its writer, in the folder of `indexPath`. */
export const unfinishedPath = (indexPath: string): string =>
  `${indexPath}.${hostname()}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;

/** Makes the folder of `indexPath` and deletes unfinished indexes of processes that no longer run. */
export const prepareFolder = (indexPath: string): void => {
  const folder = dirname(indexPath);
  makeFolderSync(folder);
  const prefix = `${basename(indexPath)}.`;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    const path = join(folder, name);
    if (isAbandoned(name.slice(prefix.length), path)) rmSync(path, { force: true });
  }
};

/** True if the writer of HOST.PID.RANDOM.tmp no longer runs. Of processes of other hosts only the age is known. */
const isAbandoned = (rest: string, path: string): boolean => {
  const [, host, pid] = /^(.*)\.(\d+)\.[a-z0-9]+\.tmp$/.exec(rest) ?? [];
  if (host === hostname() && pid !== undefined) return !isRunning(Number(pid));
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > STALE_AFTER_MS;
};

/** Whether files can be made in a folder. */
export const isWritableFolder = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};
