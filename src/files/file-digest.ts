import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Hash functions for files. `git` is the id of a git blob: SHA-1 of git's own header followed by the contents. */
export type DigestAlgorithm = 'md5' | 'sha1' | 'sha256' | 'git';

/** Digest of a file's contents in lower-case hexadecimal, computed in one sequential pass with constant memory. */
export const digestOfFile = async (path: string, algorithm: DigestAlgorithm, signal?: AbortSignal): Promise<string> => {
  const hash = createHash(algorithm === 'git' ? 'sha1' : algorithm);
  if (algorithm === 'git') hash.update(`blob ${(await stat(path)).size}\0`);
  const stream = createReadStream(path, { highWaterMark: 2 ** 20, signal });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
};
