import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MdetrError } from '../errors.ts';

/** Writes front to back; may go back and correct what was written. */
export interface FileSink {
  /** Bytes written so far. */
  readonly position: number;
  write(bytes: Uint8Array): Promise<void>;
  overwrite(bytes: Uint8Array, position: number): Promise<void>;
}

const LARGEST_WRITE = 2 ** 30;

const writeFully = async (handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> => {
  let done = 0;
  while (done < bytes.byteLength) {
    const wanted = Math.min(LARGEST_WRITE, bytes.byteLength - done);
    const { bytesWritten } = await handle.write(bytes, done, wanted, position + done);
    done += bytesWritten;
  }
};

/**
 * Writes a file so that `path` holds either what it held before or the whole new contents: into a temporary file
 * beside it, flushed to disk, then renamed. When `fill` fails, nothing is left behind.
 */
export const writeAtomically = async (path: string, fill: (sink: FileSink) => Promise<void>): Promise<void> => {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx').catch((error: unknown) => {
    throw whyNotWritten(path, error);
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
    await rename(temporary, path);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw whyNotWritten(path, error);
  }
  await syncFolder(dirname(path));
};

/** Makes the new name itself durable, where the system can. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r').catch(() => undefined);
  // Windows opens no folders and some file systems flush none: the data itself is on disk already.
  await handle?.sync().catch(() => undefined);
  await handle?.close();
};

const whyNotWritten = (path: string, error: unknown): unknown => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') return error;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'its folder does not exist',
    ENOSPC: 'the disk is full',
    EACCES: 'no permission to write there',
    EPERM: 'no permission to write there',
    EROFS: 'the disk is read-only',
    EISDIR: 'it is a folder',
    ENOTDIR: 'its folder is a file',
  };
  return new MdetrError(`${path}: not written, ${reasons[code] ?? code}`, { cause: error });
};
