import * as z from 'zod';
import { MdetrError, messageOf } from '../errors.ts';
import { bodyBytes, ConnectionLost, DEFAULT_TIME_LIMITS, get } from '../fetching/http.ts';
import { readJsonFile } from '../files/json/json-file.ts';
import { parseJson } from '../files/json/json-text.ts';
import { download, type DownloadOptions, type DownloadProgress } from './download.ts';
import type { Digest } from './digest.ts';
import { checkRepository, HubCache, hubCacheFolder, type HubRepository } from './hub-cache.ts';
import { sizeOfFile } from './part-file.ts';
import { sourcesFrom, type Sources } from './sources.ts';

/** Options of {@link pullRepository}. */
export interface HubPullOptions extends Omit<DownloadOptions, 'onProgress'> {
  /** Uses no network: a repository that is not in the cache is an error. */
  readonly offline?: boolean | undefined;
  /** Environment variables for the hub's address, token, cache and offline switch. Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly onProgress?: ((progress: DownloadProgress & { readonly file: string }) => void) | undefined;
  /**
   * Chooses the files to download from all names of the repository. `readJson` downloads and parses one of them. Default:
   * all files.
   */
  readonly select?:
    | ((names: readonly string[], readJson: (name: string) => Promise<unknown>) => Promise<readonly string[]>)
    | undefined;
}

/** A repository in the cache. */
export interface PulledRepository {
  /** Folder with the files. */
  readonly folder: string;
  readonly commit: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly wasThere: boolean }[];
}

const MAX_LIST_BYTES = 16 * 2 ** 20;
const MAX_FILE_BYTES = 64e9;
/** A file of the repository: one folder deep at most, never hidden. Others are left out. */
const FILE_NAME = /^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/;

const infoSchema = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const treeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    oid: z.string(),
    size: z.number().int().nonnegative().optional(),
    lfs: z.object({ oid: z.string(), size: z.number().int().nonnegative() }).optional(),
  }),
);

interface HubFile {
  readonly name: string;
  readonly bytes: number;
  readonly digest: Digest;
}

/**
 * Downloads a repository of the Hugging Face hub into the cache that Hugging Face's libraries use, checked and resumable.
 * Files that are there are kept. If the hub cannot be reached, a snapshot in the cache is used.
 *
 * @throws {UsageError} for a name or revision that the hub cannot have
 * @throws {MdetrError} if the repository does not exist, needs a token (`HF_TOKEN`), or cannot be downloaded
 */
export const pullRepository = async (
  repository: HubRepository,
  options: HubPullOptions = {},
): Promise<PulledRepository> => {
  const environment = options.environment ?? process.env;
  checkRepository(repository);
  const sources = sourcesFrom(environment);
  const cache = new HubCache(hubCacheFolder(environment), repository);
  if (options.offline === true || sources.isOffline) return cachedRepository(cache, repository, 'in offline mode');
  let listed: { readonly commit: string; readonly files: readonly HubFile[] };
  try {
    listed = await listFiles(repository, sources, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof ConnectionLost && (await cache.commit()) !== undefined)
      return cachedRepository(cache, repository, `because the hub cannot be reached (${error.message})`);
    throw error instanceof ConnectionLost
      ? new MdetrError(`${sources.hub}: ${error.message}`, { cause: error })
      : error;
  }
  const { commit, files } = listed;
  const fetchFile = (file: HubFile) => fetchIntoCache(file, { repository, commit, cache, sources, options });
  const byName = new Map(files.map((file) => [file.name, file]));
  const readJson = async (name: string): Promise<unknown> => {
    await fetchFile(byName.get(name)!);
    return readJsonFile(cache.blob(byName.get(name)!.digest.hex));
  };
  const chosen = (await options.select?.([...byName.keys()], readJson)) ?? [...byName.keys()];
  const pulled: PulledRepository['files'][number][] = [];
  for (const name of chosen) pulled.push({ name, ...(await fetchFile(byName.get(name)!)) });
  await cache.setCommit(commit);
  return { folder: cache.snapshot(commit), commit, files: pulled };
};

const cachedRepository = async (
  cache: HubCache,
  { name, revision }: HubRepository,
  why: string,
): Promise<PulledRepository> => {
  const commit = await cache.commit();
  if (commit === undefined)
    throw new MdetrError(
      `${name}: revision ${revision} is not in the cache (${cache.folder}), and nothing is downloaded ${why}`,
    );
  return { folder: cache.snapshot(commit), commit, files: [] };
};

/** The commit of a revision, and its files with sizes and digests. */
const listFiles = async (
  { name, revision }: HubRepository,
  sources: Sources,
  options: HubPullOptions,
): Promise<{ readonly commit: string; readonly files: readonly HubFile[] }> => {
  const api = `${sources.hub}/api/models/${name}`;
  const read = async <T>(url: string, schema: z.ZodType<T>): Promise<T> => {
    const parsed = schema.safeParse(await hubJson(url, name, sources, options));
    if (!parsed.success) throw new MdetrError(`${url}: the hub's reply has an unknown form`);
    return parsed.data;
  };
  const { sha } = await read(`${api}/revision/${encodeURIComponent(revision)}`, infoSchema);
  const tree = await read(`${api}/tree/${sha}?recursive=true`, treeSchema);
  const files = tree.flatMap(({ type, path, oid, size, lfs }): HubFile[] => {
    const hex = lfs?.oid ?? oid;
    const algorithm = lfs === undefined ? 'git' : 'sha256';
    if (type !== 'file' || !FILE_NAME.test(path) || !/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(hex)) return [];
    return [{ name: path, bytes: lfs?.size ?? size ?? 0, digest: { algorithm, hex } }];
  });
  return { commit: sha, files };
};

const hubJson = async (
  url: string,
  name: string,
  { hubToken }: Sources,
  { limits = DEFAULT_TIME_LIMITS, signal }: HubPullOptions,
): Promise<unknown> => {
  const headers = { accept: 'application/json' };
  const reply = await get(url, { reach: 'as-first', headers, secret: hubToken, limits, signal });
  try {
    if (reply.status >= 500 || reply.status === 429) throw new ConnectionLost(`responded with status ${reply.status}`);
    if (reply.status === 401 || reply.status === 403 || reply.status === 404)
      throw new MdetrError(
        `${name}: the hub has no such repository or revision, or it needs ${hubToken === undefined ? 'an access token: set HF_TOKEN' : 'another access token than that of HF_TOKEN'} (status ${reply.status})`,
      );
    if (reply.status !== 200) throw new MdetrError(`${url}: responded with status ${reply.status}`);
    const tooLong = (): MdetrError => new MdetrError(`${url}: the reply is longer than ${MAX_LIST_BYTES} bytes`);
    const bytes = await bodyBytes(reply, MAX_LIST_BYTES, tooLong);
    return parseJson(bytes.toString('utf8'), url);
  } catch (error) {
    if (error instanceof MdetrError || error instanceof ConnectionLost) throw error;
    throw new ConnectionLost(messageOf(error), { cause: error });
  } finally {
    reply.body.destroy();
  }
};

const fetchIntoCache = async (
  { name, bytes, digest }: HubFile,
  {
    repository,
    commit,
    cache,
    sources,
    options,
  }: {
    readonly repository: HubRepository;
    readonly commit: string;
    readonly cache: HubCache;
    readonly sources: Sources;
    readonly options: HubPullOptions;
  },
): Promise<{ readonly bytes: number; readonly wasThere: boolean }> => {
  const blob = cache.blob(digest.hex);
  const wasThere = (await sizeOfFile(blob)) === bytes;
  if (!wasThere)
    await download(
      {
        url: `${sources.hub}/${repository.name}/resolve/${commit}/${name}`,
        secret: sources.hubToken,
        maxBytes: MAX_FILE_BYTES,
        bytes,
        digest,
      },
      blob,
      { ...options, onProgress: (progress) => options.onProgress?.({ ...progress, file: name }) },
    );
  await cache.link(commit, name, digest.hex);
  return { bytes, wasThere };
};
