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

/** Length of a SHA-256 digest in bytes. */
const DIGEST_BYTES = 32;

const digestOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Contents of a cached file: the digest of some bytes, then these. */
export const withDigest = (bytes: Uint8Array): Buffer => Buffer.concat([digestOf(bytes), bytes]);

/** Bytes behind their digest, a view; undefined if they are damaged. */
export const withoutDigest = <T extends Uint8Array>(file: T): T | undefined => {
  const bytes = file.subarray(DIGEST_BYTES) as T;
  return digestOf(bytes).equals(file.subarray(0, DIGEST_BYTES)) ? bytes : undefined;
};
