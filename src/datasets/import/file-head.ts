import { closeSync, readSync } from 'node:fs';
import { openInputSync } from '../../files/input-file.ts';

/** The first bytes of a file as text. @throws {MdetrError} if it cannot be opened */
export const fileHead = (path: string, bytes: number): string => {
  const fd = openInputSync(path);
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, bytes, 0)).replace(/^\uFEFF/, '');
  } finally {
    closeSync(fd);
  }
};
