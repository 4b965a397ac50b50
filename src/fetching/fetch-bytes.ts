import { MdetrError } from '../errors.ts';
import { bodyBytes, ConnectionLost, connectionLost, get, UnreachableAddress, type Reach, type Reply } from './http.ts';

/** Limits of `fetchBytes`. */
export interface FetchOptions {
  /** Machines that the URL and its redirects may lead to. Default `public`. */
  readonly reach?: Reach | undefined;
  /** Maximum size of the response in bytes. Default 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Time limit of the whole call in milliseconds, redirects included. Default 60,000. */
  readonly totalMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Header `authorization`, sent to the host of the URL only. */
  readonly authorization?: string | undefined;
}

/** Why a URL was not fetched. */
export type FetchProblem =
  /** The URL is malformed, has another scheme or a password. */
  | 'url'
  /** It leads to an address that may not be reached. */
  | 'address'
  /** The response is larger than the limit. */
  | 'size'
  /** The time limit was reached. */
  | 'time'
  /** The server refuses, or the connection failed. */
  | 'server';

/** A URL could not be fetched; `problem` says why. */
export class FetchError extends MdetrError {
  override name = 'FetchError';

  constructor(
    readonly problem: FetchProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Limits for options that are not given. */
const FETCH_DEFAULTS = { reach: 'public', maxBytes: 256 * 2 ** 20, totalMs: 60_000 } as const;

/** Maximum wait for a connection, and for each further chunk. */
const LIMITS = { connectMs: 10_000, silenceMs: 20_000 };

/**
 * Fetches a URL into memory. By default only public addresses are reached, the connection itself being made to the address
 * that was checked, for the URL and for each of up to five redirects (none from `https` to `http`).
 *
 * @throws {FetchError} if the URL, an address, the size, the time or the server does not allow it
 */
export const fetchBytes = async (address: string | URL, options: FetchOptions = {}): Promise<Uint8Array> => {
  const url = checkedUrl(address);
  const { maxBytes = FETCH_DEFAULTS.maxBytes, totalMs = FETCH_DEFAULTS.totalMs } = options;
  const { reach = FETCH_DEFAULTS.reach, signal, authorization } = options;
  const deadline = AbortSignal.timeout(totalMs);
  const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    const reply = await get(url.href, { reach, limits: LIMITS, signal: either, agent: 'mdetr', authorization });
    try {
      return await received(url, reply, maxBytes);
    } finally {
      reply.body.destroy();
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof FetchError) throw error;
    if (deadline.aborted)
      throw new FetchError('time', `${url.host}: took longer than ${totalMs / 1000} s`, { cause: error });
    if (error instanceof UnreachableAddress) throw new FetchError('address', error.message, { cause: error });
    if (error instanceof MdetrError || error instanceof ConnectionLost)
      throw new FetchError('server', error.message, { cause: error });
    throw error;
  }
};

/** @throws {FetchError} for a URL that is never fetched */
const checkedUrl = (address: string | URL): URL => {
  const shown = String(address).slice(0, 100);
  if (!URL.canParse(address)) throw new FetchError('url', `"${shown}" is not a URL`);
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new FetchError('url', `${shown}: only http and https URLs are fetched`);
  if (url.username !== '' || url.password !== '')
    throw new FetchError('url', `${url.host}: URLs with a user name or password are not fetched`);
  return url;
};

const received = async (url: URL, reply: Reply, maxBytes: number): Promise<Uint8Array> => {
  const { status, header } = reply;
  if (status !== 200)
    throw new FetchError(
      'server',
      `${reply.url.host}: responded with status ${status} for ${url.pathname.slice(0, 100)}`,
    );
  const encoding = header('content-encoding') ?? 'identity';
  if (encoding !== 'identity')
    throw new FetchError(
      'server',
      `${reply.url.host}: sent content encoding ${encoding.slice(0, 20)}, which was not requested`,
    );
  const tooLarge = (): FetchError =>
    new FetchError('size', `${reply.url.host}: the response is larger than the limit of ${maxBytes} bytes`);
  const announced = Number(header('content-length') ?? 0);
  if (announced > maxBytes) throw tooLarge();
  const bytes = await bodyBytes(reply, maxBytes, tooLarge).catch((error: unknown) => {
    throw error instanceof FetchError ? error : connectionLost(reply.url, error);
  });
  if (bytes.length < announced)
    throw new FetchError('server', `${reply.url.host}: ended after ${bytes.length} of ${announced} bytes`);
  return new Uint8Array(bytes);
};
