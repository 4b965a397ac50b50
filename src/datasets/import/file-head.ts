import { closeSync, readSync } from 'node:fs';
import { utf16Of } from '../../files/text-encoding.ts';
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

/** The first bytes of a file as text (UTF-8, or UTF-16 with a byte order mark), without the mark. @throws {MdetrError} if it cannot be opened */
export const fileHead = (path: string, bytes: number): string => {
  const head = fileHeadBytes(path, bytes);
  return new TextDecoder(utf16Of(head) ?? 'utf-8').decode(head).replace(/^\uFEFF/, '');
};
