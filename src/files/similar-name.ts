import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Hint for a path that does not exist, if its folder has a file whose name looks the same: accents can be composed or
 * decomposed, letters upper or lower case, and spaces can stand around or within a name. Empty without such a file.
 */
export const similarNameHint = (path: string): string => {
  const name = basename(path);
  const wanted = folded(name);
  const found = namesIn(dirname(path)).find((entry) => entry !== name && folded(entry) === wanted);
  if (found === undefined) return '';
  const shown = JSON.stringify(found);
  if (found.normalize() === name.normalize())
    return `; the folder has ${shown}, whose accents are ${found === found.normalize() ? 'composed' : 'decomposed'}`;
  return `; the folder has ${shown}`;
};

const folded = (name: string): string => name.normalize('NFKC').toLowerCase().replace(/\s+/gu, '');

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};
