import { closeSync, readSync } from 'node:fs';
import { openInputSync } from '../../files/input-file.ts';

/** The first bytes of a file. @throws {MdetrError} if it cannot be opened */
export const fileHeadBytes = (path: string, bytes: number): Uint8Array => {
  const fd = openInputSync(path);
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(fd, buffer, 0, bytes, 0));
  } finally {
    closeSync(fd);
  }
};

/** The first bytes of a file as text, without byte order mark. @throws {MdetrError} if it cannot be opened */
export const fileHead = (path: string, bytes: number): string =>
  Buffer.from(fileHeadBytes(path, bytes))
    .toString('utf8')
    .replace(/^\uFEFF/, '');
