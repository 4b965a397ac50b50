import { mkdir } from 'node:fs/promises';
import { fileReason, MdetrError } from '../errors.ts';

/**
 * Creates a folder and its missing parents. An existing folder is left as it is.
 * @throws {MdetrError} when the folder cannot be created
 */
export const makeFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new MdetrError(`${folder}: the folder cannot be created (${fileReason(error)})`, { cause: error });
  });
};
