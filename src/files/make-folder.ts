import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errorCode, fileReason, MdetrError } from '../errors.ts';

/**
 * Creates a folder and its missing parents. An existing folder is left as it is.
 * @throws {MdetrError} when the folder cannot be created
 */
export const makeFolderSync = (folder: string): void => {
  try {
    makeFoldersSync(folder);
  } catch (error) {
    throw new MdetrError(`${folder}: the folder cannot be created (${fileReason(error)})`, { cause: error });
  }
};

/** {@link makeFolderSync} as a promise, which rejects where that throws. */
export const makeFolder = (folder: string): Promise<void> => Promise.resolve().then(() => makeFolderSync(folder));

/** {@link makeFolder} that rejects with the error of the file system. */
export const makeFolders = (folder: string): Promise<void> => Promise.resolve().then(() => makeFoldersSync(folder));

/**
 * Creates missing parents one by one: Node's own recursive creation never ends where a file system says "no such file"
 * although the parent exists, as below /proc.
 */
const makeFoldersSync = (folder: string): void => {
  const missing: string[] = [];
  for (let parent = resolve(folder); !statSync(parent, { throwIfNoEntry: false }); parent = dirname(parent))
    missing.push(parent);
  for (const each of missing.reverse()) makeOne(each);
  if (!statSync(folder).isDirectory())
    throw Object.assign(new Error(`EEXIST: file already exists, mkdir '${folder}'`), { code: 'EEXIST' });
};

const makeOne = (folder: string): void => {
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (errorCode(error) !== 'EEXIST') throw error;
  }
};
