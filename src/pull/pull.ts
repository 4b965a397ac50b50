import { join } from 'node:path';
import { MdetrError, messageOf } from '../errors.ts';
import { digestOfFile } from '../files/file-digest.ts';
import { placeOf, type Published, type PublishedPart, type PublishedTokenizer } from './catalog.ts';
import { digestOfHubReply, parseSumList, parseZenodoRecord, type Digest, type KnownFile } from './digest.ts';
import { download, type DownloadOptions, type DownloadProgress, type RemoteFile } from './download.ts';
import { bodyBytes, DEFAULT_TIME_LIMITS, get } from '../fetching/http.ts';
import { sizeOfFile } from './part-file.ts';
import { sourcesFrom, type Sources } from './sources.ts';

/** Options of `pull`. */
export interface PullOptions extends Omit<DownloadOptions, 'onProgress'> {
  /** Cache folder to download into. */
  readonly folder: string;
  /** Also downloads files that are in the cache. */
  readonly force?: boolean;
  /** Uses no network: a missing file is an error. */
  readonly offline?: boolean;
  /** Environment variables for mirrors, the hub's token and the offline switch. Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (progress: DownloadProgress & { readonly file: string }) => void;
  /** Receives notes for the user. */
  readonly onNote?: (text: string) => void;
}

/** A file in the cache. */
export interface PulledFile {
  readonly path: string;
  readonly bytes: number;
  /** Whether it was in the cache before. */
  readonly wasThere: boolean;
  /** Digest that the download was checked against; undefined if nothing was downloaded or no digest is known. */
  readonly checked: Digest | undefined;
}

const MAX_CHECKPOINT_BYTES = 64e9;
const MAX_TOKENIZER_FILE_BYTES = 64 * 2 ** 20;
const MAX_CHECKSUM_LIST_BYTES = 4 * 2 ** 20;

/** Whether all files of a catalog entry are in the cache. */
export const isPulled = async (entry: Published, folder: string): Promise<boolean> => {
  const place = placeOf(entry);
  const sizes = await Promise.all(place.files.map((file) => sizeOfFile(join(folder, place.folder, file))));
  return sizes.every((size) => size !== undefined);
};

/**
 * Downloads the files of a catalog entry into the cache, where `--model` and `--tokenizer` look for them. Existing files
 * are kept unless `force` is set.
 * @throws {MdetrError} if a file cannot be downloaded, or is missing in offline mode
 */
export const pull = async (entry: Published, options: PullOptions): Promise<readonly PulledFile[]> => {
  const sources = sourcesFrom(options.environment ?? process.env);
  const place = placeOf(entry);
  const results: PulledFile[] = [];
  let known: ReadonlyMap<string, KnownFile> | undefined;
  for (const file of place.files) {
    const path = join(options.folder, place.folder, file);
    const size = options.force === true ? undefined : await sizeOfFile(path);
    if (size !== undefined) {
      results.push({ path, bytes: size, wasThere: true, checked: undefined });
      continue;
    }
    if (options.offline === true || sources.isOffline)
      throw new MdetrError(`${entry.name}: ${path} is missing, and nothing is downloaded in offline mode`);
    known ??= entry.kind === 'checkpoint' ? await knownFiles(sources, options) : new Map<string, KnownFile>();
    const remote = remoteFile(entry, file, sources, known.get(file));
    const { bytes, checked } = await download(remote, path, {
      ...options,
      onProgress: (progress) => options.onProgress?.({ ...progress, file }),
    });
    if (checked === undefined)
      options.onNote?.(`${file}: no checksum is published; its SHA-256 is ${await digestOfFile(path, 'sha256')}`);
    results.push({ path, bytes, wasThere: false, checked });
  }
  return results;
};

const remoteFile = (entry: Published, file: string, sources: Sources, known: KnownFile | undefined): RemoteFile => {
  switch (entry.kind) {
    case 'checkpoint':
      return { url: `${sources.checkpoints}/${encodeURIComponent(file)}`, maxBytes: MAX_CHECKPOINT_BYTES, ...known };
    case 'tokenizer': {
      const sha256 = entry.files.find(({ name }) => name === file)?.sha256;
      return hubFile(entry, file, sources, MAX_TOKENIZER_FILE_BYTES, sha256);
    }
    case 'weights': {
      if (entry.source === 'hub') return hubFile(entry, entry.file, sources, MAX_CHECKPOINT_BYTES);
      const hex = /-([0-9a-f]{8})\.pth$/.exec(file)![1]!;
      const url = `${sources[entry.source]}/${file}`;
      return { url, maxBytes: MAX_CHECKPOINT_BYTES, digest: { algorithm: 'sha256', hex } };
    }
  }
};

const hubFile = (
  { repository }: Pick<PublishedTokenizer | PublishedPart, 'repository'>,
  file: string,
  { hub, hubToken }: Sources,
  maxBytes: number,
  sha256?: string,
): RemoteFile => ({
  url: `${hub}/${repository!}/resolve/main/${file}`,
  secret: hubToken,
  maxBytes,
  digestOf: digestOfHubReply,
  digest: sha256 === undefined ? undefined : { algorithm: 'sha256', hex: sha256 },
});

/** Sizes and checksums of the checkpoints. If they are unavailable, a note says so and files are not checked. */
const knownFiles = async (sources: Sources, options: PullOptions): Promise<ReadonlyMap<string, KnownFile>> => {
  const { sums } = sources;
  if (sums.kind === 'record') {
    const text = await smallText(sums.url, options);
    const known = text === undefined ? new Map<string, KnownFile>() : parseZenodoRecord(text);
    if (text !== undefined && known.size === 0) options.onNote?.(`${sums.url}: has no file list in a known form`);
    return known;
  }
  for (const url of sums.urls) {
    const known = parseSumList((await smallText(url, options, true)) ?? '');
    if (known.size > 0) return known;
  }
  return new Map();
};

/** Downloads a small text; undefined if that fails. */
const smallText = async (url: string, options: PullOptions, mayBeMissing = false): Promise<string | undefined> => {
  try {
    const reply = await get(url, {
      reach: 'as-first',
      headers: { accept: 'application/json, text/plain' },
      limits: options.limits ?? DEFAULT_TIME_LIMITS,
      signal: options.signal,
    });
    try {
      if (reply.status === 404 && mayBeMissing) return undefined;
      if (reply.status !== 200) throw new MdetrError(`status ${reply.status}`);
      const bytes = await bodyBytes(reply, MAX_CHECKSUM_LIST_BYTES, () => new MdetrError('too long'));
      return bytes.toString('utf8');
    } finally {
      reply.body.destroy();
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    options.onNote?.(`${url}: the checksums cannot be read (${messageOf(error)})`);
    return undefined;
  }
};
