import { createHash } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheFolder } from '../../files/cache-folder.ts';
import { digestOfFile } from '../../files/file-digest.ts';
import { makeFolders } from '../../files/make-folder.ts';

/**
 * SHA-256 digest of a file. Digests are cached by path, size and modification time, since reading gigabytes takes longer
 * than everything else at start-up.
 */
export const fileDigest = async (path: string, folder = join(cacheFolder(), 'digests')): Promise<string> => {
  const info = await stat(path, { bigint: true });
  const identity = createHash('sha256')
    .update([resolve(path), info.size, info.mtimeNs, info.ino].join('\n'))
    .digest('hex');
  const memo = join(folder, identity);
  const known = await readFile(memo, 'utf8').catch(() => '');
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const digest = await digestOfFile(path, 'sha256');
  // Only a cache: if the folder cannot be written, the next start reads the file again.
  await makeFolders(folder)
    .then(() => writeFile(`${memo}.${process.pid}`, digest))
    .then(() => rename(`${memo}.${process.pid}`, memo))
    .catch(() => undefined);
  return digest;
};
