import { MdetrError, messageOf } from '../errors.ts';

/** Name of the store in Cache storage. */
const STORE_NAME = 'mdetr-weights-v1';
/** Header of a stored response with the SHA-256 of its contents. */
const DIGEST_HEADER = 'x-mdetr-sha256';
/** Headers by which a server names a version of a file. */
const VERSION_HEADERS = ['etag', 'last-modified', 'content-length'] as const;

/** A weight file to download. */
export interface WeightFile {
  readonly url: string;
  /** Name of the file in errors and progress. */
  readonly name: string;
  /** Expected SHA-256 in hexadecimal, if it is known. */
  readonly sha256?: string | undefined;
}

/** Options of {@link readWeightFile}. */
export interface WeightFileOptions {
  /** Keep the file in Cache storage. */
  readonly isCached: boolean;
  readonly onProgress: (loadedBytes: number, totalBytes: number | undefined) => void;
}

/** A file of weights that is stored in the browser. */
export interface CachedWeights {
  /** Address of the file. */
  readonly url: string;
  /** Size in bytes. */
  readonly bytes: number;
}

/** The store; undefined where the browser has none: on pages that are not served over HTTPS or from this machine. */
const openStore = async (): Promise<Cache | undefined> => {
  try {
    return 'caches' in globalThis ? await caches.open(STORE_NAME) : undefined;
  } catch {
    return undefined; // storage is blocked, as in private windows
  }
};

/** SHA-256 in hexadecimal; undefined on pages without `crypto.subtle`. */
const sha256Of = async (bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> => {
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle;
  if (subtle === undefined) return undefined;
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
};

/**
 * Reads a weight file: from Cache storage if it has the version of the server (or of the expected digest), else by a
 * download. Contents are checked by their digest in both cases; a damaged copy is downloaded again.
 *
 * @throws {MdetrError} if the download fails, or its digest is not the expected one
 */
export const readWeightFile = async (
  file: WeightFile,
  options: WeightFileOptions,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly sha256: string | undefined }> => {
  const store = options.isCached ? await openStore() : undefined;
  const kept = await store?.match(file.url);
  if (kept !== undefined && (await isCurrent(file, kept))) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    const sha256 = await sha256Of(bytes);
    if (sha256 === kept.headers.get(DIGEST_HEADER)) return { bytes, sha256 };
  }
  await store?.delete(file.url);
  const response = await fetchFile(file.url, file.name);
  const bytes = await readWithProgress(response, file, options);
  const sha256 = await sha256Of(bytes);
  if (file.sha256 !== undefined && sha256 !== undefined && sha256 !== file.sha256.toLowerCase())
    throw new MdetrError(
      `${file.name}: has the SHA-256 ${sha256}, but ${file.sha256} is expected: the file was changed or its download is damaged`,
    );
  if (store !== undefined && sha256 !== undefined) await keep(store, file.url, bytes, sha256, response.headers);
  return { bytes, sha256 };
};

/** Requests a file. @throws {MdetrError} naming the file if there is none, or the server cannot be reached */
export const fetchFile = async (url: string, name: string): Promise<Response> =>
  requireSuccess(await requestFile(url, name), url, name);

/** Requests a file that may be missing. @throws {MdetrError} naming the file if the server cannot be reached */
export const requestFile = (url: string, name: string): Promise<Response> =>
  fetch(url).catch((error: unknown) => {
    throw new MdetrError(`${name}: cannot be fetched from ${url} (${messageOf(error)})`, { cause: error });
  });

/** Returns the response. @throws {MdetrError} naming the file if its status is an error */
export const requireSuccess = (response: Response, url: string, name: string): Response => {
  if (!response.ok) throw new MdetrError(`${name}: cannot be fetched from ${url} (status ${response.status})`);
  return response;
};

/** Whether a stored file is the one to use. Without a network it is. */
const isCurrent = async (file: WeightFile, kept: Response): Promise<boolean> => {
  if (file.sha256 !== undefined) return kept.headers.get(DIGEST_HEADER) === file.sha256.toLowerCase();
  let head: Response;
  try {
    head = await fetch(file.url, { method: 'HEAD', cache: 'no-cache' });
  } catch {
    return true;
  }
  if (!head.ok) return head.status !== 404;
  return VERSION_HEADERS.every((name) => {
    const [theirs, ours] = [head.headers.get(name), kept.headers.get(name)];
    return theirs === null || ours === null || theirs === ours;
  });
};

const keep = async (
  store: Cache,
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  sha256: string,
  from: Headers,
): Promise<void> => {
  const headers = new Headers({ [DIGEST_HEADER]: sha256, 'content-length': String(bytes.byteLength) });
  for (const name of ['etag', 'last-modified']) {
    const value = from.get(name);
    if (value !== null) headers.set(name, value);
  }
  // A full or forbidden store only costs the next download.
  await store.put(url, new Response(bytes, { headers })).catch(() => undefined);
};

const readWithProgress = async (
  { headers, body }: Response,
  { name }: WeightFile,
  { onProgress }: WeightFileOptions,
): Promise<Uint8Array<ArrayBuffer>> => {
  // The length of a compressed response is not that of its contents.
  const isCompressed = (headers.get('content-encoding') ?? 'identity') !== 'identity';
  const length = isCompressed ? NaN : Number(headers.get('content-length') ?? NaN);
  const total = Number.isSafeInteger(length) && length > 0 ? length : undefined;
  try {
    const reader = body!.getReader();
    let bytes = new Uint8Array(total ?? 2 ** 20);
    let loaded = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (loaded + value.byteLength > bytes.byteLength) {
        const larger = new Uint8Array(Math.max(loaded + value.byteLength, 2 * bytes.byteLength));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(value, loaded);
      loaded += value.byteLength;
      onProgress(loaded, total);
    }
    if (total !== undefined && loaded !== total)
      throw new MdetrError(`${name}: the download ended after ${loaded} of ${total} bytes; try again`);
    return loaded === bytes.byteLength ? bytes : bytes.slice(0, loaded);
  } catch (error) {
    await body?.cancel().catch(() => undefined);
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${name}: the download was interrupted (${messageOf(error)}); try again`, { cause: error });
  }
};

/** Weight files that are stored in the browser. */
export const cachedWeights = async (): Promise<CachedWeights[]> => {
  const store = await openStore();
  if (store === undefined) return [];
  const found: CachedWeights[] = [];
  for (const request of await store.keys()) {
    const response = await store.match(request);
    found.push({ url: request.url, bytes: Number(response?.headers.get('content-length') ?? 0) });
  }
  return found;
};

/**
 * Removes the stored weights of a model; all of them without a name.
 *
 * @param name URL of the model, as it was loaded, or the name of its folder
 * @returns the number of freed bytes
 */
export const removeCachedWeights = async (name?: string): Promise<number> => {
  const store = await openStore();
  let freed = 0;
  for (const { url, bytes } of await cachedWeights()) {
    if (name !== undefined && !isOfModel(url, name)) continue;
    await store!.delete(url);
    freed += bytes;
  }
  return freed;
};

const isOfModel = (url: string, name: string): boolean => {
  const folder = new URL('.', url);
  if (folder.pathname.split('/').at(-2) === name) return true;
  const named = URL.canParse(name, globalThis.location.href) ? new URL(name, globalThis.location.href) : undefined;
  return named !== undefined && (url === named.href || url.startsWith(`${named.href.replace(/\/$/, '')}/`));
};
