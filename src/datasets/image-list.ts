import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReason, MdetrError } from '../errors.ts';
import { replaceFile } from '../files/atomic-file.ts';
import { makeFolder } from '../files/make-folder.ts';
import type { PreparedList } from './preparation.ts';

/** Writes the numbers of images, rising, one a line. The file appears whole or not at all. */
export const writeImageList = async (folder: string, name: string, images: Iterable<number>): Promise<PreparedList> => {
  const path = join(folder, name);
  const numbers = [...new Set(images)].sort((a, b) => a - b);
  await makeFolder(folder);
  await replaceFile(path, numbers.map((number) => `${number}\n`).join(''));
  return { path, entries: numbers.length };
};

/** Reads such a list. @throws MdetrError naming the line that holds no number */
export const readImageList = async (path: string): Promise<ReadonlySet<number>> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  });
  return new Set(
    text.split('\n').flatMap((line, i) => {
      const number = Number(line);
      if (line.trim() === '') return [];
      if (!/^\s*\d+\s*$/.test(line) || !Number.isSafeInteger(number))
        throw new MdetrError(`${path}: line ${i + 1}: "${line.trim().slice(0, 60)}" is not the number of an image`);
      return [number];
    }),
  );
};
