import { join } from 'node:path';
import { MdetrError } from '../errors.ts';
import { digestOfFile } from '../files/file-digest.ts';
import { placeOf, type Published, type PublishedPart, type PublishedTokenizer } from './catalog.ts';
import { digestOfHubReply, parseSumList, parseZenodoRecord, type Digest, type KnownFile } from './digest.ts';
import { download, type DownloadOptions, type DownloadProgress, type RemoteFile } from './download.ts';
import { get, usualTimeLimits } from './http.ts';
import { sizeOfFile } from './part-file.ts';
import { sourcesFrom, type Sources } from './sources.ts';

export interface PullOptions extends Omit<DownloadOptions, 'onProgress'> {
  /** The cache folder. */
  readonly folder: string;
  /** Fetch again what is there. */
  readonly force?: boolean;
  /** Ask nobody: what is not there is an error. */
  readonly offline?: boolean;
  /** Where mirrors, the hub's token and the offline switch are set; `process.env` by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (progress: DownloadProgress & { readonly file: string }) => void;
  /** Something that the reader should know. */
  readonly onNote?: (text: string) => void;
}

/** One file of what was asked for, where it now lies. */
export interface PulledFile {
  readonly path: string;
  readonly bytes: number;
  /** It was there before. */
  readonly wasThere: boolean;
  /** What it was checked against now; undefined where nothing was fetched or nobody says what it must be. */
  readonly checked: Digest | undefined;
}

const largestCheckpoint = 64e9;
const largestTokenizerFile = 64 * 2 ** 20;
const largestSumList = 4 * 2 ** 20;

/** Whether all files of something published are in the cache. */
export const isPulled = async (entry: Published, folder: string): Promise<boolean> => {
  const place = placeOf(entry);
  const sizes = await Promise.all(place.files.map((file) => sizeOfFile(join(folder, place.folder, file))));
  return sizes.every((size) => size !== undefined);
};

/**
 * Fetches something published into the cache, where `--model NAME` and vocabularies are looked for. What is there stays.
 *
 * @throws {MdetrError} that says what is wrong and the way out
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
      throw new MdetrError(`${entry.name}: ${path} is not there, and nothing is fetched offline`);
    known ??= entry.kind === 'checkpoint' ? await knownFiles(sources, options) : new Map<string, KnownFile>();
    const remote = remoteFile(entry, file, sources, known.get(file));
    const { bytes, checked } = await download(remote, path, {
      ...options,
      onProgress: (progress) => options.onProgress?.({ ...progress, file }),
    });
    if (checked === undefined)
      options.onNote?.(
        `${file}: nobody says what its bytes must add up to; their SHA-256 is ${await digestOfFile(path, 'sha256')}`,
      );
    results.push({ path, bytes, wasThere: false, checked });
  }
  return results;
};

const remoteFile = (entry: Published, file: string, sources: Sources, known: KnownFile | undefined): RemoteFile => {
  switch (entry.kind) {
    case 'checkpoint':
      return { url: `${sources.checkpoints}/${encodeURIComponent(file)}`, largestBytes: largestCheckpoint, ...known };
    case 'tokenizer': {
      const sha256 = entry.files.find(({ name }) => name === file)?.sha256;
      return hubFile(entry, file, sources, largestTokenizerFile, sha256);
    }
    case 'weights': {
      if (entry.source === 'hub') return hubFile(entry, entry.file, sources, largestCheckpoint);
      const hex = /-([0-9a-f]{8})\.pth$/.exec(file)![1]!;
      const url = `${sources[entry.source]}/${file}`;
      return { url, largestBytes: largestCheckpoint, digest: { algorithm: 'sha256', hex } };
    }
  }
};

const hubFile = (
  { repository }: Pick<PublishedTokenizer | PublishedPart, 'repository'>,
  file: string,
  { hub, hubToken }: Sources,
  largestBytes: number,
  sha256?: string,
): RemoteFile => ({
  url: `${hub}/${repository!}/resolve/main/${file}`,
  secret: hubToken,
  largestBytes,
  digestOf: digestOfHubReply,
  ...(sha256 === undefined ? {} : { digest: { algorithm: 'sha256', hex: sha256 } }),
});

/** Sizes and sums of checkpoints. Where they cannot be had, that is said, and files come unchecked. */
const knownFiles = async (sources: Sources, options: PullOptions): Promise<ReadonlyMap<string, KnownFile>> => {
  const { sums } = sources;
  if (sums.kind === 'record') {
    const text = await smallText(sums.url, options);
    const known = text === undefined ? new Map<string, KnownFile>() : parseZenodoRecord(text);
    if (text !== undefined && known.size === 0)
      options.onNote?.(`${sums.url}: says nothing about files that we understand`);
    return known;
  }
  for (const url of sums.urls) {
    const known = parseSumList((await smallText(url, options, true)) ?? '');
    if (known.size > 0) return known;
  }
  return new Map();
};

/** A small text, undefined where it cannot be had. */
const smallText = async (url: string, options: PullOptions, mayBeMissing = false): Promise<string | undefined> => {
  try {
    const reply = await get(url, {
      headers: { accept: 'application/json, text/plain' },
      limits: options.limits ?? usualTimeLimits,
      signal: options.signal,
    });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      if (reply.status === 404 && mayBeMissing) return undefined;
      if (reply.status !== 200) throw new MdetrError(`status ${reply.status}`);
      for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
        bytes += chunk.byteLength;
        if (bytes > largestSumList) throw new MdetrError('it is too long');
        chunks.push(chunk);
      }
    } finally {
      reply.body.destroy();
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    options.signal?.throwIfAborted();
    options.onNote?.(
      `${url}: the sums of the files cannot be read (${error instanceof Error ? error.message : String(error)})`,
    );
    return undefined;
  }
};
