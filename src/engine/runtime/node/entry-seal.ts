import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../../files/atomic-file.ts';
import { digestOfFile } from '../../../files/file-digest.ts';

/** File of an entry that holds the digests of its other files, by default. */
const SEAL_FILE = 'seal.json';
/** Age of the last check after which the contents are read again, since a disk can lose data without changing any date. */
const RECHECK_AFTER_MS = 24 * 3_600_000;

interface SealedFile {
  readonly sha256: string;
  /** Size, times of change and inode when the digest was last found right. */
  readonly identity: string;
}

interface Seal {
  readonly checkedMs: number;
  readonly files: Readonly<Record<string, SealedFile>>;
}

const identityOf = async (path: string): Promise<string> => {
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join(' ');
};

/** Stores the digests of files of a cache entry, so that damage is noticed later. */
export const sealEntry = async (entry: string, names: readonly string[], sealFile = SEAL_FILE): Promise<void> => {
  const files: Record<string, SealedFile> = {};
  for (const name of names) {
    const path = join(entry, name);
    files[name] = { identity: await identityOf(path), sha256: await digestOfFile(path, 'sha256') };
  }
  await replaceFile(join(entry, sealFile), JSON.stringify({ checkedMs: Date.now(), files } satisfies Seal));
};

/** Names of the files that a seal tells of; none if there is no seal, or it is damaged. */
export const sealedNames = async (entry: string, sealFile: string): Promise<readonly string[]> => {
  try {
    return Object.keys((JSON.parse(await readFile(join(entry, sealFile), 'utf8')) as Seal).files);
  } catch {
    return [];
  }
};

/**
 * Whether files of an entry still have the contents that `sealEntry` found. Their digests are computed only if a file was
 * touched or moved since the last check, or the check is a day old; otherwise this takes no time.
 */
export const isIntact = async (entry: string, names: readonly string[], sealFile = SEAL_FILE): Promise<boolean> => {
  try {
    const { checkedMs, files } = JSON.parse(await readFile(join(entry, sealFile), 'utf8')) as Seal;
    const age = Date.now() - checkedMs;
    let isUntouched = age >= 0 && age < RECHECK_AFTER_MS;
    for (const name of names)
      isUntouched = (await identityOf(join(entry, name))) === files[name]!.identity && isUntouched;
    if (isUntouched) return true;
    for (const name of names)
      if ((await digestOfFile(join(entry, name), 'sha256')) !== files[name]!.sha256) return false;
  } catch {
    return false; // A file is missing, or the seal is damaged.
  }
  // A cache that cannot be written is checked at every start.
  await sealEntry(entry, names, sealFile).catch(() => undefined);
  return true;
};
