import { mkdir } from 'node:fs/promises';
import { fileReason, MdetrError } from '../errors.ts';

/** Makes a folder and those around it, where they are missing. Throws `MdetrError` saying why it cannot be made. */
export const makeFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new MdetrError(`${folder}: the folder cannot be made (${fileReason(error)})`, { cause: error });
  });
};
