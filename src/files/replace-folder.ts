import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errorCode, fileReason, MdetrError, UsageError } from '../errors.ts';
import { makeFolders } from './make-folder.ts';
import { isAbandoned, removeAbandoned, temporaryPath } from './temporary-path.ts';

/** Which folder may be replaced by a new one. */
export interface ReplaceFolderOptions {
  /** Kind of the folder in errors, such as "model folder". */
  readonly what: string;
  /** Whether a file or folder of this name may be in the folder that is replaced. */
  readonly isOwn: (name: string) => boolean;
  /** Replaces an older folder of this kind. */
  readonly force: boolean;
}

/**
 * Writes a folder completely (by one rename) or not at all: `fill` writes into a temporary folder beside it. With `force`,
 * an older folder of the same kind is replaced, but never one that contains other files.
 *
 * @throws {UsageError} if the folder exists and may not be replaced
 * @throws {MdetrError} if it cannot be written; an error of `fill` itself is passed on
 */
export const replaceFolder = async (
  folder: string,
  fill: (unfinished: string) => Promise<void>,
  options: ReplaceFolderOptions,
): Promise<void> => {
  const target = resolve(folder);
  const beside = join(dirname(target), `.${basename(target)}`);
  await removeAbandoned(beside);
  await restoreOld(target, beside);
  const isOld = await checkTarget(folder, options);
  const unfinished = temporaryPath(beside);
  try {
    await makeFolders(dirname(target));
    await mkdir(unfinished);
    await fill(unfinished);
    const old = unfinished.replace(/\.tmp$/, OLD_ENDING);
    if (isOld) await rename(target, old);
    await rename(unfinished, target);
    if (isOld) await rm(old, { recursive: true, force: true });
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (error instanceof MdetrError || errorCode(error) === undefined) throw error;
    throw new MdetrError(`${folder}: the ${options.what} cannot be written (${fileReason(error)})`, { cause: error });
  }
};

/** Suffix of the older folder while it is replaced. */
const OLD_ENDING = '.old';

/** Puts the older folder back if a process was killed while it replaced it, and removes it if it was replaced. */
const restoreOld = async (target: string, beside: string): Promise<void> => {
  const folder = dirname(target);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${basename(beside)}.`) || !name.endsWith(OLD_ENDING)) continue;
    if (!isAbandoned(`${name.slice(0, -OLD_ENDING.length)}.tmp`)) continue;
    const old = join(folder, name);
    if (await stat(target).catch(() => undefined)) await rm(old, { recursive: true, force: true });
    else await rename(old, target);
  }
};

/**
 * Checks whether a folder may be written, before any work is done. Returns whether an older one will be replaced.
 *
 * @throws {UsageError} if it may not be
 */
export const checkTarget = async (folder: string, { what, isOwn, force }: ReplaceFolderOptions): Promise<boolean> => {
  const info = await stat(folder).catch(() => undefined);
  if (info === undefined) return false;
  if (!info.isDirectory()) throw new UsageError(`${folder}: is a file; choose a new folder`);
  const names = await readdir(folder);
  if (names.length === 0) return true;
  const foreign = names.find((name) => !isOwn(name));
  if (foreign !== undefined)
    throw new UsageError(`${folder}: holds "${foreign}", so it is no ${what} to be replaced; name a new one`);
  if (!force) throw new UsageError(`${folder}: is there already; replace it with --overwrite, or name another`);
  return true;
};
