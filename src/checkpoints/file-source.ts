import { type FileHandle, open, stat } from 'node:fs/promises';
import { fileReason, MdetrError } from '../errors.ts';

/** Random access to the bytes of a file, so that files of gigabytes are never held in memory. */
export interface ByteSource {
  /** Path of the file, for messages. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** Reads bytes from `position` on until `target` is full. @throws {MdetrError} for a range outside the file */
  readInto(target: Uint8Array, position: number): Promise<void>;
}

export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

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

/** Allocates memory for a part of a file. @throws {MdetrError} beyond Node's limit (4 GiB in Node 20) or the available memory */
export const allocate = (length: number, name: string): Uint8Array => {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new MdetrError(`${name}: not enough memory for ${length} bytes`, { cause: error });
  }
};

/** Reads `length` bytes from `position` on into a new array. */
export const readBytes = async (source: ByteSource, position: number, length: number): Promise<Uint8Array> => {
  // Checked before allocating: lengths come from the file and may be wrong.
  if (!Number.isSafeInteger(length) || length < 0 || position + length > source.size) {
    throw new MdetrError(
      `${source.name}: truncated: ${length} bytes from ${position} on are needed, the file ends at byte ${source.size}`,
    );
  }
  const target = allocate(length, source.name);
  await source.readInto(target, position);
  return target;
};
