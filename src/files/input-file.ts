import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { errorCode, fileReason, MdetrError } from '../errors.ts';
import { similarNameHint } from './similar-name.ts';

/**
 * Opening does not wait for the other end of a pipe: a pipe that nobody writes to would block the process forever, before
 * it is known to be one. Regular files ignore the flag, and Windows has none (undefined, which counts as 0).
 */
const READ_ONLY = constants.O_RDONLY | constants.O_NONBLOCK;

const unreadable = (path: string, error: unknown): unknown => {
  if (error instanceof MdetrError) return error;
  const hint = errorCode(error) === 'ENOENT' ? similarNameHint(path) : '';
  return new MdetrError(`${path}: cannot be read (${fileReason(error)}${hint})`, { cause: error });
};

/** Kind of a file that is not regular, for messages; undefined for a regular file. */
export const otherKind = (info: Stats): string | undefined => {
  if (info.isFile()) return undefined;
  if (info.isDirectory()) return 'a folder';
  if (info.isFIFO()) return 'a pipe';
  if (info.isSocket()) return 'a socket';
  return 'a device';
};

const requireRegular = (path: string, info: Stats): void => {
  const kind = otherKind(info);
  if (kind === undefined) return;
  const wayOut = kind === 'a folder' ? 'name a file' : 'only regular files are read; save its contents to a file';
  throw new MdetrError(`${path}: is ${kind}; ${wayOut}`);
};

/**
 * Opens a file that was named by a user or by a file's contents. The caller closes it.
 * @throws {MdetrError} if it cannot be opened, or is a folder, pipe, socket or device, which could block forever
 */
export const openInputSync = (path: string): number => {
  let fd: number | undefined;
  try {
    fd = openSync(path, READ_ONLY);
    requireRegular(path, fstatSync(fd));
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw unreadable(path, error);
  }
};

/** Opens a file as `openInputSync` does. */
export const openInput = async (path: string): Promise<FileHandle> => (await openSizedInput(path)).file;

/** Opens a file as `openInputSync` does, and returns its size in bytes with it. */
export const openSizedInput = async (path: string): Promise<{ readonly file: FileHandle; readonly size: number }> => {
  let file: FileHandle | undefined;
  try {
    file = await open(path, READ_ONLY);
    const info = await file.stat();
    requireRegular(path, info);
    return { file, size: info.size };
  } catch (error) {
    await file?.close();
    throw unreadable(path, error);
  }
};

/** Contents of a regular file. @throws {MdetrError} as `openInputSync` */
export const readInputSync = (path: string): Buffer => {
  const fd = openInputSync(path);
  try {
    return readFileSync(fd);
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    closeSync(fd);
  }
};

/** Contents of a regular file. @throws {MdetrError} as `openInputSync` */
export const readInput = async (path: string): Promise<Buffer> => {
  const file = await openInput(path);
  try {
    return await file.readFile();
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await file.close();
  }
};

/**
 * Checks that a path leads to a regular file, without reading it.
 * @throws {MdetrError} as `openInputSync`
 */
export const requireInput = async (path: string): Promise<void> => (await openInput(path)).close();
