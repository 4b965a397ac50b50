import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { openInputSync } from '../../files/input-file.ts';

/** Fingerprint of the annotation file, stored in its index. */
export interface SourceFingerprint {
  readonly bytes: number;
  /** Modification time in nanoseconds, as a string because it does not fit in a double. */
  readonly modifiedNs: string;
  /** SHA-256 of the file's head, tail and blocks in between. */
  readonly sample: string;
}

const END_BYTES = 64 * 1024;
const BLOCK_BYTES = 4096;
const BLOCKS = 64;

/**
 * Computes the fingerprint of a file of any size in a millisecond: size, modification time, and a digest of its first and
 * last 64 KiB and of 64 blocks between them. A digest of all bytes would take as long as building the index. Writing a
 * file changes its time; replacing it with time and size kept (rsync, tar, a restored backup) changes the sample, because
 * annotation files that differ usually differ in the length of some number early on, which shifts the rest.
 */
export const fingerprintOf = (path: string): SourceFingerprint => {
  const fd = openInputSync(path);
  try {
    const { size, mtimeNs } = fstatSync(fd, { bigint: true });
    const bytes = Number(size);
    const hash = createHash('sha256');
    const buffer = new Uint8Array(END_BYTES);
    const take = (length: number, position: number): void => {
      hash.update(buffer.subarray(0, readSync(fd, buffer, 0, length, position)));
    };
    take(END_BYTES, 0);
    for (let block = 1; block <= BLOCKS; block++) take(BLOCK_BYTES, Math.floor((bytes / (BLOCKS + 1)) * block));
    take(END_BYTES, Math.max(0, bytes - END_BYTES));
    return { bytes, modifiedNs: String(mtimeNs), sample: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
};

/** Whether two fingerprints are of the same file contents. */
export const sameFingerprint = (a: SourceFingerprint, b: SourceFingerprint): boolean =>
  a.bytes === b.bytes && a.modifiedNs === b.modifiedNs && a.sample === b.sample;
