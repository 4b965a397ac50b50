import { createReadStream, existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { createInterface } from 'node:readline';
import { glob, isDynamicPattern } from 'tinyglobby';
import type { ImageSource } from '../../data/images/image-source.ts';
import { fileReason, MdetrError, UsageError } from '../../errors.ts';
import { openInput } from '../../files/input-file.ts';

/** An image of the command line: its name in results, and how it is read. */
export interface ListedImage {
  readonly name: string;
  readonly source: ImageSource;
}

/** Images of a call. */
export interface ImageList {
  readonly images: readonly ListedImage[];
  /** Some images come from a folder, pattern or list, so that a single broken one should not stop the others. */
  readonly isBulk: boolean;
  /** Names of files that the call reads, for the output rule. */
  readonly files: readonly string[];
}

const IMAGE_FILE = /\.(?:jpe?g|png|webp|gif|tiff?|avif|bmp|hei[cf])$/i;
const URL_TEXT = /^(?:https?|file|data):/i;

/**
 * Images that the arguments of a command name, by the one rule of all commands: a path; a `file:`, `data:`, `http:` or
 * `https:` URL; `-`, an image on standard input; a folder, whose image files are taken in alphabetical order; a quoted
 * pattern such as `photos/*.jpg`; `@list.txt`, a file with one of these in each line (`@-`: a list on standard input).
 *
 * @throws {UsageError} for standard input that is named twice
 * @throws {MdetrError} if a list or folder cannot be read, and for a folder or pattern without images
 */
export const listImages = async (
  texts: readonly string[],
  { recursive = false }: { readonly recursive?: boolean | undefined } = {},
): Promise<ImageList> => {
  const images: ListedImage[] = [];
  const lists: string[] = [];
  let isBulk = false;
  let usesInput = false;
  const takeInput = (text: string): void => {
    if (usesInput) throw new UsageError(`${text}: standard input can be read once only`);
    usesInput = true;
  };
  const add = async (text: string, base?: string): Promise<void> => {
    if (text === '-') {
      takeInput(text);
      images.push({ name: 'stdin', source: process.stdin });
      return;
    }
    if (URL_TEXT.test(text)) {
      images.push({ name: /^data:/i.test(text) ? 'data URI' : text, source: text });
      return;
    }
    const path = base !== undefined && !isAbsolute(text) && !existsSync(text) ? join(base, text) : text;
    const found = await filesOf(path, recursive);
    if (found === undefined) images.push({ name: path, source: path });
    else {
      isBulk = true;
      for (const file of found) images.push({ name: file, source: file });
    }
  };
  for (const text of texts) {
    if (!text.startsWith('@') || text === '@' || existsSync(text)) {
      await add(text);
      continue;
    }
    const list = text.slice(1);
    isBulk = true;
    if (list === '-') takeInput(text);
    else lists.push(list);
    for await (const line of linesOf(list)) await add(line, list === '-' ? undefined : dirname(list));
  }
  return {
    images,
    isBulk,
    files: [
      ...lists,
      ...images.flatMap(({ source }) => (typeof source === 'string' && !URL_TEXT.test(source) ? [source] : [])),
    ],
  };
};

/** Lines of a list, without empty ones. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const file = path === '-' ? undefined : await openInput(path);
  const input = file === undefined ? process.stdin : createReadStream(path, { fd: file });
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    const text = line.replace(/^\ufeff/, '').trim();
    if (text !== '' && !text.startsWith('#')) yield text;
  }
}

/** Image files of a folder or pattern; undefined for anything else. */
const filesOf = async (path: string, recursive: boolean): Promise<readonly string[] | undefined> => {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info?.isDirectory() === true) {
    const files = await imagesIn(path, recursive);
    if (files.length === 0)
      throw new MdetrError(
        `${path}: has no image files${recursive ? '' : '; pass --recursive to look into its subfolders'}`,
      );
    return files;
  }
  if (info !== undefined || !isDynamicPattern(path)) return undefined;
  const files = (await glob([path.replaceAll('\\', '/')], { expandDirectories: false })).filter((file) =>
    IMAGE_FILE.test(file),
  );
  if (files.length === 0) throw new MdetrError(`${path}: no image file matches this pattern`);
  return files.sort();
};

const imagesIn = async (folder: string, recursive: boolean): Promise<string[]> => {
  const found: string[] = [];
  const open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    let entries;
    try {
      entries = await readdir(next, { withFileTypes: true });
    } catch (error) {
      throw new MdetrError(`${next}: cannot be read (${fileReason(error)})`, { cause: error });
    }
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = join(next, entry.name);
      if (entry.isDirectory()) {
        if (recursive) open.push(path);
      } else if (IMAGE_FILE.test(entry.name)) found.push(path);
    }
  }
  return found.sort();
};
