import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MdetrError, messageOf } from '../../errors.ts';
import type { PreparedList } from './preparation.ts';

/** Writes the numbers of images, rising, one a line. The file appears whole or not at all. */
export const writeImageList = async (folder: string, name: string, images: Iterable<number>): Promise<PreparedList> => {
  const path = join(folder, name);
  const numbers = [...new Set(images)].sort((a, b) => a - b);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(`${path}.part`, numbers.map((number) => `${number}\n`).join(''));
    await rename(`${path}.part`, path);
  } catch (error) {
    throw new MdetrError(`${path}: cannot be written (${messageOf(error)})`, { cause: error });
  }
  return { path, entries: numbers.length };
};
