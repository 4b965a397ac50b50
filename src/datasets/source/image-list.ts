import { join } from 'node:path';
import { MdetrError, quoted } from '../../errors.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import { readTextFile } from '../../files/json/json-file.ts';
import { makeFolder } from '../../files/make-folder.ts';
import type { PreparedList } from '../preparation/preparation.ts';

/**
 * Writes image ids, one per line, without duplicates: numbers in ascending order, then texts. The file is written atomically.
 * @throws {MdetrError} if it cannot be written
 */
export const writeImageList = async (
  folder: string,
  name: string,
  ids: Iterable<number | string>,
): Promise<PreparedList> => {
  const path = join(folder, name);
  const distinct = [...new Set(ids)];
  const numbers = distinct.filter((id) => typeof id === 'number').sort((a, b) => a - b);
  const sorted = [...numbers, ...distinct.filter((id) => typeof id === 'string').sort()];
  await makeFolder(folder);
  await replaceFile(path, sorted.map((id) => `${id}\n`).join(''));
  return { path, entries: sorted.length };
};

/**
 * Reads a list of image ids, one per line; empty lines are ignored.
 * @throws {MdetrError} naming the first line that is not an id
 */
export const readImageList = async (path: string): Promise<ReadonlySet<number>> => {
  const text = await readTextFile(path);
  return new Set(
    text.split('\n').flatMap((line, i) => {
      const id = Number(line);
      if (line.trim() === '') return [];
      if (!/^\s*\d+\s*$/.test(line) || !Number.isSafeInteger(id))
        throw new MdetrError(`${path}: line ${i + 1}: ${quoted(line.trim())} is not an image id`);
      return [id];
    }),
  );
};
