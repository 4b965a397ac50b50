import { copyFile, link, lstat, readFile, rm, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { errorCode, UsageError } from '../errors.ts';
import { replaceFile } from '../files/atomic-file.ts';
import { makeFolder } from '../files/make-folder.ts';

/** A repository of the Hugging Face hub, at a branch, tag or commit. */
export interface HubRepository {
  /** `OWNER/NAME`. */
  readonly name: string;
  readonly revision: string;
}

/** Revision of a repository that names none. */
export const DEFAULT_REVISION = 'main';
const PART = /^(?!.*(?:\.\.|--))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$/;
const REVISION = /^[\w][\w./-]{0,199}$/;
const COMMIT = /^[0-9a-f]{40}$/;

/** Whether a name has the form `OWNER/NAME` of repositories on the hub. */
export const isHubName = (name: string): boolean => {
  const parts = name.split('/');
  return parts.length === 2 && parts.every((part) => PART.test(part));
};

const isRevision = (revision: string): boolean => REVISION.test(revision) && !revision.includes('..');

/** Folder of the hub's cache, the same as that of Hugging Face's libraries. */
export const hubCacheFolder = (environment: Readonly<Record<string, string | undefined>> = process.env): string => {
  const setting = (name: string): string | undefined => (environment[name] === '' ? undefined : environment[name]);
  const cache = setting('HF_HUB_CACHE') ?? setting('HUGGINGFACE_HUB_CACHE');
  if (cache !== undefined) return cache;
  const home = setting('HF_HOME') ?? join(setting('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface');
  return join(home, 'hub');
};

/**
 * A repository in the hub's cache: `blobs/` has contents by digest, `snapshots/COMMIT/` links to them by file name,
 * `refs/` has the commit of each branch.
 */
export class HubCache {
  readonly folder: string;

  constructor(
    cache: string,
    private readonly repository: HubRepository,
  ) {
    this.folder = join(cache, `models--${repository.name.replace('/', '--')}`);
  }

  /** The commit of the revision that was last downloaded; undefined if there is none. */
  async commit(): Promise<string | undefined> {
    const { revision } = this.repository;
    const known = COMMIT.test(revision) ? revision : await readFile(this.refPath, 'utf8').catch(() => '');
    const commit = known.trim();
    return COMMIT.test(commit) && (await isThere(this.snapshot(commit))) ? commit : undefined;
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  blob(digest: string): string {
    return join(this.folder, 'blobs', digest);
  }

  /** Remembers the commit of the revision. */
  async setCommit(commit: string): Promise<void> {
    if (COMMIT.test(this.repository.revision)) return;
    await makeFolder(dirname(this.refPath));
    await replaceFile(this.refPath, commit);
  }

  /** Makes a downloaded file appear in a snapshot: as a link, or as a copy where links are not possible. */
  async link(commit: string, file: string, digest: string): Promise<void> {
    const path = join(this.snapshot(commit), file);
    await makeFolder(dirname(path));
    if (await isThere(path)) return;
    // A link whose blob was removed.
    if (await lstat(path).catch(() => undefined)) await rm(path, { force: true });
    const blob = this.blob(digest);
    // ONNX Runtime follows symbolic links and then refuses weights outside of the folder of the ONNX file.
    const makeLink = /\.onnx(_data)?$/.test(file) ? link(blob, path) : symlink(relative(dirname(path), blob), path);
    await makeLink.catch(async (error: unknown) => {
      if (errorCode(error) !== 'EEXIST') await copyFile(blob, path);
    });
  }

  private get refPath(): string {
    return join(this.folder, 'refs', ...this.repository.revision.split('/'));
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The snapshot of a repository that was downloaded earlier; undefined if there is none. */
export const cachedSnapshot = async (
  repository: HubRepository,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string | undefined> => {
  checkRepository(repository);
  const cache = new HubCache(hubCacheFolder(environment), repository);
  const commit = await cache.commit();
  return commit === undefined ? undefined : cache.snapshot(commit);
};

/** Checks the form of a name and revision. @throws {UsageError} if the hub cannot have them */
export const checkRepository = ({ name, revision }: HubRepository): void => {
  if (!isHubName(name)) throw new UsageError(`"${name.slice(0, 100)}" is not the name of a repository: use OWNER/NAME`);
  if (!isRevision(revision))
    throw new UsageError(`"${revision.slice(0, 100)}" is not a branch, tag or commit of a repository`);
};
