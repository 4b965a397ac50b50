import type { Readable } from 'node:stream';
import { Agent, errors, ProxyAgent, request, type Dispatcher } from 'undici';
import { MdetrError, messageOf } from '../errors.ts';
import { isPublicAddress, literalAddress } from './addresses.ts';
import { isLoopback, proxyFor } from './proxy.ts';
import { NotPublicError, publicLookup } from './public-lookup.ts';

/** Time limits of a request, in milliseconds. */
export interface TimeLimits {
  readonly connectMs: number;
  /** Maximum wait for the start of the response and between any two chunks of it. */
  readonly silenceMs: number;
}

/**
 * Machines that a request may reach, redirects included:
 *
 * - `any`: all. For a URL that the user configured.
 * - `public`: public addresses only, checked when the connection is made. For a URL of anyone else. Proxies of the environment
 *   are not used, since they resolve names themselves.
 * - `as-first`: the first URL may lead anywhere; redirects to other hosts lead to public addresses, unless the first host is
 *   itself not public. For mirrors.
 */
export type Reach = 'any' | 'public' | 'as-first';

/** The URL leads to an address that may not be reached. */
export class UnreachableAddress extends MdetrError {
  override name = 'UnreachableAddress';
}

/** Time limits of requests that state none. */
export const DEFAULT_TIME_LIMITS: TimeLimits = { connectMs: 30_000, silenceMs: 60_000 };

/** The final response, after all redirects. */
export interface Reply {
  readonly status: number;
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  /** Headers of the redirects that led here, in order. */
  readonly redirects: readonly ((name: string) => string | undefined)[];
  readonly body: Readable;
}

/** The connection failed or was interrupted. Another attempt may succeed. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
  /** Delay that the server requested. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** All bytes of a reply's body. @throws the error that `tooLong` makes for more than `maxBytes`, and those of the connection */
export const bodyBytes = async ({ body }: Reply, maxBytes: number, tooLong: () => Error): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const MAX_REDIRECTS = 5;

/**
 * Sends a GET request and follows up to five redirects, never from an encrypted to an unencrypted URL. `secret` is sent to
 * the first host only. Bodies are not compressed (`identity`), so that lengths and ranges are those of the file.
 * @throws {ConnectionLost} if another attempt may succeed
 * @throws {MdetrError} if it cannot
 */
export const get = async (
  address: string,
  options: {
    /** Headers with the value undefined are not sent. */
    readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
    readonly secret?: string | undefined;
    /** Header `authorization` for the first host only, in place of `secret`. */
    readonly authorization?: string | undefined;
    readonly limits: TimeLimits;
    readonly signal?: AbortSignal | undefined;
    /** Default `any`. */
    readonly reach?: Reach | undefined;
    /** Sent as `user-agent`. */
    readonly agent?: string | undefined;
  },
): Promise<Reply> => {
  const { secret, reach = 'any' } = options;
  const first = new URL(address);
  let url = first;
  const redirects: ((name: string) => string | undefined)[] = [];
  for (;;) {
    const credentials = options.authorization ?? (secret === undefined ? undefined : `Bearer ${secret}`);
    const authorization = url.origin === first.origin ? credentials : undefined;
    const identity = { 'user-agent': options.agent ?? 'mdetr-pull', 'accept-encoding': 'identity' };
    const isGuarded = reach === 'public' || (reach === 'as-first' && url.host !== first.host && !isInside(first));
    const response = await ask(url, { ...identity, ...options.headers, authorization }, { ...options, isGuarded });
    // Destroying a body emits an error, which is unhandled otherwise.
    response.body.on('error', () => undefined);
    const header = headerOf(response);
    if (![301, 302, 303, 307, 308].includes(response.statusCode))
      return { status: response.statusCode, url, header, redirects, body: response.body };
    await response.body.dump({ limit: 2 ** 16 }).catch(() => undefined);
    redirects.push(header);
    url = nextAddress(first, url, header('location'), redirects.length);
  }
};

/** Whether a host is named as one of this machine or of the local network. */
const isInside = (url: URL): boolean => {
  const address = literalAddress(url);
  if (address !== undefined) return !isPublicAddress(address);
  return isLoopback(url) || !url.hostname.includes('.') || /\.(?:local|internal|lan|home\.arpa)$/.test(url.hostname);
};

const headerOf =
  ({ headers }: Dispatcher.ResponseData) =>
  (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value[0] : value;
  };

/** Target of a redirect. @throws {MdetrError} for targets that are not allowed */
export const nextAddress = (first: URL, from: URL, location: string | undefined, count: number): URL => {
  if (count > MAX_REDIRECTS)
    throw new MdetrError(`${first.href}: more than ${MAX_REDIRECTS} redirects; check the URL of the mirror`);
  if (location === undefined || !URL.canParse(location, from))
    throw new MdetrError(`${from.href}: redirects to an invalid URL (location "${location ?? ''}")`);
  const to = new URL(location, from);
  if (to.protocol !== 'https:' && to.protocol !== 'http:')
    throw new MdetrError(`${from.href}: redirects to ${to.protocol}, which is refused`);
  if (from.protocol === 'https:' && to.protocol === 'http:' && !isLoopback(to))
    throw new MdetrError(`${from.href}: redirects to ${to.origin}, which is not encrypted; refused`);
  return to;
};

const ask = async (
  url: URL,
  headers: Readonly<Record<string, string | undefined>>,
  {
    limits,
    signal,
    isGuarded,
  }: { readonly limits: TimeLimits; readonly signal?: AbortSignal | undefined; readonly isGuarded: boolean },
): Promise<Dispatcher.ResponseData> => {
  const literal = literalAddress(url);
  // Names are checked by the lookup of the connection; an address in the URL needs none.
  if (isGuarded && literal !== undefined && !isPublicAddress(literal)) throw notPublic(url);
  try {
    return await request(url, {
      headers,
      dispatcher: dispatcherFor(url, limits, isGuarded),
      headersTimeout: limits.silenceMs,
      bodyTimeout: limits.silenceMs,
      signal,
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof NotPublicError) throw notPublic(url, error);
    throw connectionLost(url, error);
  }
};

const notPublic = (url: URL, cause?: unknown): UnreachableAddress =>
  new UnreachableAddress(
    `${url.host}: is an address of this machine or of a private network, which URLs may not lead to`,
    { cause },
  );

/** Connection pools by proxy, time limit and addresses. */
const dispatchers = new Map<string, Dispatcher>();

const dispatcherFor = (url: URL, { connectMs }: TimeLimits, isGuarded: boolean): Dispatcher => {
  const proxy = isGuarded ? undefined : proxyFor(url, process.env);
  const key = `${proxy ?? ''} ${connectMs} ${isGuarded}`;
  let dispatcher = dispatchers.get(key);
  if (dispatcher === undefined) {
    const connect = { timeout: connectMs, lookup: isGuarded ? publicLookup : undefined };
    const options = { connect, keepAliveTimeout: 1000 };
    dispatcher = proxy === undefined ? new Agent(options) : new ProxyAgent({ ...options, uri: proxy });
    dispatchers.set(key, dispatcher);
  }
  return dispatcher;
};

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'unknown host (no network?)',
  EAI_AGAIN: 'the host name cannot be resolved (no network?)',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was interrupted',
  UND_ERR_SOCKET: 'the connection was interrupted',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_HEADERS_TIMEOUT: 'the response timed out',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the server sent another number of bytes than announced',
};

/** Describes a network error. */
export const connectionLost = (url: URL, error: unknown): ConnectionLost => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason =
    error instanceof errors.HTTPParserError ? 'the response is not valid HTTP' : (REASONS[code] ?? messageOf(error));
  return new ConnectionLost(`${url.host}: ${reason}`, { cause: error });
};
