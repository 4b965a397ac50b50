import { type FileHandle, open, stat } from 'node:fs/promises';
import { fileReason, MdetrError } from '../errors.ts';
import type { FileSource } from './byte-source.ts';

// A read call returns at most 2 GiB, on any platform.
const MAX_READ_BYTES = 2 ** 30;

const whyUnreadable = (path: string, error: unknown): string => {
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(path) && !/^[a-z]:[\\/]/i.test(path);
  if (isUrl) return 'weight files are read from disk only: give the path of a downloaded file';
  return `cannot be read (${fileReason(error)})`;
};

/** Opens a regular file for random access. @throws {MdetrError} if it cannot be opened or is not a regular file */
export const openFileSource = async (path: string): Promise<FileSource> => {
  let handle: FileHandle;
  let size: number;
  try {
    // Checked before opening: opening a named pipe would block.
    const found = await stat(path);
    if (!found.isFile()) throw new MdetrError(`${path}: is not a regular file; a weight file is needed`);
    handle = await open(path, 'r');
    size = (await handle.stat()).size;
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${path}: ${whyUnreadable(path, error)}`, { cause: error });
  }
  let closed = false;
  return {
    name: path,
    size,
    async readInto(target, position) {
      if (closed) throw new Error(`internal: ${path} is read after being closed`);
      const end = position + target.byteLength;
      if (!Number.isSafeInteger(position) || position < 0 || end > size) {
        throw new MdetrError(
          `${path}: truncated: bytes ${position} to ${end} are needed, the file ends at byte ${size}`,
        );
      }
      let done = 0;
      while (done < target.byteLength) {
        const count = Math.min(MAX_READ_BYTES, target.byteLength - done);
        const { bytesRead } = await handle.read(target, done, count, position + done).catch((error: unknown) => {
          throw new MdetrError(`${path}: reading failed at byte ${position + done}`, { cause: error });
        });
        if (bytesRead === 0) throw new MdetrError(`${path}: the file shrank while it was being read`);
        done += bytesRead;
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      await handle.close();
    },
  };
};
