import { statSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { fileReason, MdetrError } from '../../errors.ts';

/** Ending of the name of an image file, as a regular expression. */
const IMAGE_ENDING = String.raw`\.(?:jpe?g|png|webp|gif|tiff?|avif|bmp|hei[cf])`;

const IMAGE_FILE = new RegExp(`${IMAGE_ENDING}$`, 'i');

/** Characters without which a text is no pattern. */
const PATTERN_CHARACTERS = /[*?[\](){}!+@|]/;

/** Lines that are all plain image paths, as `isPlainImagePath` says, and no URLs, comments or blank lines. */
export const PLAIN_BLOCK = new RegExp(
  String.raw`^(?:[^\s#:*?[\](){}!+@|-][^\n\r:*?[\](){}!+@|]*${IMAGE_ENDING}(?:\r?\n|$))+$`,
  'i',
);

/** Names of one folder that are held in memory at the same time. */
const NAMES_AT_ONCE = 1 << 16;

/** Whether a text ends like an image file and has no characters of a pattern. */
export const isPlainImagePath = (text: string): boolean => IMAGE_FILE.test(text) && !PATTERN_CHARACTERS.test(text);

/**
 * Image files of a folder or pattern, in the order of their paths (by UTF-16 code units); undefined for anything else. The
 * names of a folder are read as they are needed; those of a pattern are held in memory.
 *
 * @throws {MdetrError} for a folder or pattern without images, when the images are read
 */
export const imagesBelow = (path: string, recursive: boolean): AsyncGenerator<string> | undefined => {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info?.isDirectory() === true) return ofFolder(path, recursive);
  return info === undefined && isDynamicPattern(path) ? ofPattern(path) : undefined;
};

async function* ofFolder(path: string, recursive: boolean): AsyncGenerator<string> {
  let isEmpty = true;
  for await (const file of walk(path, recursive)) {
    isEmpty = false;
    yield file;
  }
  if (isEmpty)
    throw new MdetrError(
      `${path}: has no image files${recursive ? '' : '; pass --recursive to look into its subfolders'}`,
    );
}

async function* ofPattern(path: string): AsyncGenerator<string> {
  const files = (await glob([path.replaceAll('\\', '/')], { expandDirectories: false })).filter((file) =>
    IMAGE_FILE.test(file),
  );
  if (files.length === 0) throw new MdetrError(`${path}: no image file matches this pattern`);
  yield* files.sort();
}

/** Image files of a folder. Names of subfolders end with a separator, so that the order is that of whole paths. */
async function* walk(folder: string, recursive: boolean): AsyncGenerator<string> {
  for await (const name of sortedNames(folder, recursive))
    if (name.endsWith(sep)) yield* walk(join(folder, name.slice(0, -1)), recursive);
    else yield join(folder, name);
}

/** Sorted names of a folder. A folder with more names than are held is read several times, the smallest names first. */
export async function* sortedNames(
  folder: string,
  withFolders: boolean,
  atOnce: number = NAMES_AT_ONCE,
): AsyncGenerator<string> {
  for (let last: string | undefined; ;) {
    let names: string[] = [];
    let hasMore = false;
    for await (const name of namesOf(folder, withFolders)) {
      if (last !== undefined && name <= last) continue;
      names.push(name);
      if (names.length < 2 * atOnce) continue;
      names = names.sort().slice(0, atOnce);
      hasMore = true;
    }
    names.sort();
    if (hasMore) names = names.slice(0, atOnce);
    yield* names;
    if (!hasMore) return;
    last = names.at(-1);
  }
}

async function* namesOf(folder: string, withFolders: boolean): AsyncGenerator<string> {
  try {
    for await (const entry of await opendir(folder, { bufferSize: 1024 })) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) {
        if (withFolders) yield entry.name + sep;
      } else if (IMAGE_FILE.test(entry.name)) yield entry.name;
    }
  } catch (error) {
    throw new MdetrError(`${folder}: cannot be read (${fileReason(error)})`, { cause: error });
  }
}
