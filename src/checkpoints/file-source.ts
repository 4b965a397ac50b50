import { type FileHandle, open, stat } from 'node:fs/promises';
import { fileReason, MdetrError } from '../errors.ts';

/** Bytes that are read by position, so that a file of gigabytes never has to lie in memory. */
export interface ByteSource {
  /** What messages call it: the path. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Fills `target` from `position` on; refuses a range outside the file. */
  readInto(target: Uint8Array, position: number): Promise<void>;
}

export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

// One read call takes at most 2 GiB on every platform.
const LARGEST_READ = 2 ** 30;

const whyUnreadable = (path: string, error: unknown): string => {
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(path) && !/^[a-z]:[\\/]/i.test(path);
  if (isUrl) return 'weight files are read from disk only: give the path of a downloaded file';
  return `cannot be read (${fileReason(error)})`;
};

/** Opens a regular file for reading by position. */
export const openFileSource = async (path: string): Promise<FileSource> => {
  let handle: FileHandle;
  let size: number;
  try {
    // Asked before opening: opening a named pipe would wait for ever.
    const found = await stat(path);
    if (!found.isFile()) throw new MdetrError(`${path}: a weight file is expected, this is not a regular file`);
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
      if (closed) throw new Error(`internal: ${path} is read after it was closed`);
      const end = position + target.byteLength;
      if (!Number.isSafeInteger(position) || position < 0 || end > size) {
        throw new MdetrError(`${path}: the file ends at byte ${size}, but bytes ${position} to ${end} are needed`);
      }
      let done = 0;
      while (done < target.byteLength) {
        const wanted = Math.min(LARGEST_READ, target.byteLength - done);
        const { bytesRead } = await handle.read(target, done, wanted, position + done).catch((error: unknown) => {
          throw new MdetrError(`${path}: reading failed at byte ${position + done}`, { cause: error });
        });
        if (bytesRead === 0) throw new MdetrError(`${path}: the file became shorter while it was read`);
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

/** Memory for something out of a file; Node refuses arrays beyond 4 GiB (version 20) or what the machine has. */
export const allocate = (length: number, name: string): Uint8Array => {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new MdetrError(`${name}: no memory for a part of ${length} bytes`, { cause: error });
  }
};

/** A fresh array with `length` bytes from `position` on. */
export const readBytes = async (source: ByteSource, position: number, length: number): Promise<Uint8Array> => {
  // Checked before the memory is asked for: lengths come from the file.
  if (!Number.isSafeInteger(length) || length < 0 || position + length > source.size) {
    throw new MdetrError(
      `${source.name}: the file ends at byte ${source.size}, but ${length} bytes from ${position} on are needed`,
    );
  }
  const target = allocate(length, source.name);
  await source.readInto(target, position);
  return target;
};
