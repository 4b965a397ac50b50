import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errorCode, fileReason, MdetrError } from '../errors.ts';

/**
 * Creates a folder and its missing parents. An existing folder is left as it is.
 * @throws {MdetrError} when the folder cannot be created
 */
export const makeFolder = async (folder: string): Promise<void> => {
  await makeFolders(folder).catch((error: unknown) => {
    throw new MdetrError(`${folder}: the folder cannot be created (${fileReason(error)})`, { cause: error });
  });
};

/**
 * Creates a folder and its missing parents one by one. Node's own recursive creation never ends where a file system says
 * "no such file" although the parent exists, as below /proc.
 * @throws the error of the file system
 */
export const makeFolders = async (folder: string): Promise<void> => {
  const path = resolve(folder);
  const missing: string[] = [];
  for (let parent = path; !(await exists(parent)) && parent !== dirname(parent); parent = dirname(parent))
    missing.push(parent);
  for (const each of missing.reverse())
    await mkdir(each).catch((error: unknown) => {
      // Another process may have made it meanwhile.
      if (errorCode(error) !== 'EEXIST') throw error;
    });
  if (!(await stat(path)).isDirectory()) throw existsError(folder);
};

/**
 * {@link makeFolder} without waiting.
 * @throws {MdetrError} when the folder cannot be created
 */
export const makeFolderSync = (folder: string): void => {
  try {
    const missing: string[] = [];
    for (let parent = resolve(folder); !statSync(parent, { throwIfNoEntry: false }); parent = dirname(parent))
      missing.push(parent);
    for (const each of missing.reverse()) makeOneSync(each);
    if (!statSync(folder).isDirectory()) throw existsError(folder);
  } catch (error) {
    throw new MdetrError(`${folder}: the folder cannot be created (${fileReason(error)})`, { cause: error });
  }
};

const makeOneSync = (folder: string): void => {
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (errorCode(error) !== 'EEXIST') throw error;
  }
};

const existsError = (folder: string): Error =>
  Object.assign(new Error(`EEXIST: file already exists, mkdir '${folder}'`), { code: 'EEXIST' });

const exists = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
};
