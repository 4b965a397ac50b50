import { type FileHandle, open, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, fileReason, MdetrError } from '../errors.ts';
import { removeAbandoned, temporaryPath } from './temporary-path.ts';

/** Destination of a sequential write. Bytes that were written can be overwritten. */
export interface FileSink {
  /** Number of bytes written so far. */
  readonly position: number;
  write(bytes: Uint8Array): Promise<void>;
  overwrite(bytes: Uint8Array, position: number): Promise<void>;
}

const MAX_WRITE_BYTES = 2 ** 30;

const writeFully = async (handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> => {
  let done = 0;
  while (done < bytes.byteLength) {
    const count = Math.min(MAX_WRITE_BYTES, bytes.byteLength - done);
    const { bytesWritten } = await handle.write(bytes, done, count, position + done);
    done += bytesWritten;
  }
};

/**
 * Writes a file atomically and durably: `fill` writes a temporary file beside `path`, which is flushed to disk and then
 * renamed. `path` holds either its former contents or all of the new ones. When `fill` fails, nothing is left behind; what
 * a killed process left beside `path` is removed. If `path` is a link, the file it leads to is replaced.
 * @throws {MdetrError} when the file cannot be written; an error of `fill` itself is passed on
 */
export const writeAtomically = async (path: string, fill: (sink: FileSink) => Promise<void>): Promise<void> => {
  const target = await throughLinks(path);
  await removeAbandoned(target);
  const temporary = temporaryPath(target);
  const handle = await open(temporary, 'wx').catch((error: unknown) => {
    throw writeError(path, error);
  });
  try {
    let position = 0;
    await fill({
      get position() {
        return position;
      },
      async write(bytes) {
        await writeFully(handle, bytes, position);
        position += bytes.byteLength;
      },
      overwrite: (bytes, at) => writeFully(handle, bytes, at),
    });
    await handle.sync();
    await handle.close();
    await rename(temporary, target);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeError(path, error);
  }
  await syncFolder(dirname(target));
};

/** Flushes a folder's entries to disk, so that new names in it survive a power failure. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r').catch(() => undefined);
  // Windows cannot open folders and some file systems cannot flush them. The file's contents are on disk in any case.
  await handle?.sync().catch(() => undefined);
  await handle?.close();
};

/**
 * Writes a file that is small enough for memory: into a temporary file beside it, then renamed, so that `path` never
 * holds a part of the new contents. The disk is not flushed. When writing fails, nothing is left behind.
 * @throws {MdetrError} when the file cannot be written
 */
export const replaceFile = async (path: string, contents: string | Uint8Array): Promise<void> => {
  const target = await throughLinks(path);
  await removeAbandoned(target);
  const temporary = temporaryPath(target);
  try {
    await writeFile(temporary, contents, { flag: 'wx' });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeError(path, error);
  }
};

const throughLinks = (path: string): Promise<string> => realpath(path).catch(() => path);

const writeError = (path: string, error: unknown): unknown =>
  errorCode(error) === undefined
    ? error
    : new MdetrError(`${path}: cannot be written (${fileReason(error)})`, { cause: error });
