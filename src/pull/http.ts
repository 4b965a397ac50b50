import type { Readable } from 'node:stream';
import { Agent, errors, ProxyAgent, request, type Dispatcher } from 'undici';
import { MdetrError, messageOf } from '../errors.ts';
import { isLoopback, proxyFor } from './proxy.ts';

/** How long to wait for what, in milliseconds. */
export interface TimeLimits {
  readonly connectMs: number;
  /** Until the answer begins, and between any two parts of it. */
  readonly silenceMs: number;
}

export const usualTimeLimits: TimeLimits = { connectMs: 30_000, silenceMs: 60_000 };

/** The answer at the end of all redirects. */
export interface Reply {
  readonly status: number;
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  /** Headers of the answers that led here, from the first one asked. */
  readonly redirects: readonly ((name: string) => string | undefined)[];
  readonly body: Readable;
}

/** The connection failed or broke off: another try may do better. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
  /** When the server says so itself. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

const mostRedirects = 5;

/**
 * Asks for an address and follows its redirects, a few at most and never from an encrypted one to one that is not. `secret` goes to the
 * first host only. Bodies come as they are on the line (`identity`), so that lengths and ranges are those of the file.
 *
 * @throws {ConnectionLost} where trying again makes sense, {MdetrError} where it does not
 */
export const get = async (
  address: string,
  options: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly secret?: string | undefined;
    readonly limits: TimeLimits;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Reply> => {
  const first = new URL(address);
  let url = first;
  const redirects: ((name: string) => string | undefined)[] = [];
  for (;;) {
    const response = await ask(url, {
      'user-agent': 'mdetr-pull',
      'accept-encoding': 'identity',
      ...options.headers,
      ...(options.secret !== undefined && url.origin === first.origin
        ? { authorization: `Bearer ${options.secret}` }
        : {}),
    }, options); // prettier-ignore
    // A body that is given up reports that as an error, also to nobody.
    response.body.on('error', () => undefined);
    const header = headerOf(response);
    if (![301, 302, 303, 307, 308].includes(response.statusCode))
      return { status: response.statusCode, url, header, redirects, body: response.body };
    await response.body.dump({ limit: 2 ** 16 }).catch(() => undefined);
    redirects.push(header);
    url = nextAddress(first, url, header('location'), redirects.length);
  }
};

const headerOf =
  ({ headers }: Dispatcher.ResponseData) =>
  (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value[0] : value;
  };

/** Where a redirect leads. @throws {MdetrError} where it must not lead */
export const nextAddress = (first: URL, from: URL, location: string | undefined, count: number): URL => {
  if (count > mostRedirects)
    throw new MdetrError(
      `${first.href}: leads on and on, ${mostRedirects} redirects were followed; is the mirror right?`,
    );
  if (location === undefined || !URL.canParse(location, from))
    throw new MdetrError(`${from.href}: redirects to nowhere (location "${location ?? ''}")`);
  const to = new URL(location, from);
  if (to.protocol !== 'https:' && to.protocol !== 'http:')
    throw new MdetrError(`${from.href}: redirects to ${to.protocol}, which is refused`);
  if (from.protocol === 'https:' && to.protocol === 'http:' && !isLoopback(to))
    throw new MdetrError(`${from.href}: redirects to ${to.origin}, which is not encrypted; refused`);
  return to;
};

const ask = async (
  url: URL,
  headers: Record<string, string>,
  { limits, signal }: { readonly limits: TimeLimits; readonly signal?: AbortSignal | undefined },
): Promise<Dispatcher.ResponseData> => {
  try {
    return await request(url, {
      headers,
      dispatcher: dispatcherFor(url, limits),
      headersTimeout: limits.silenceMs,
      bodyTimeout: limits.silenceMs,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw connectionLost(url, error);
  }
};

const dispatchers = new Map<string, Dispatcher>();

const dispatcherFor = (url: URL, { connectMs }: TimeLimits): Dispatcher => {
  const proxy = proxyFor(url, process.env);
  const key = `${proxy ?? ''} ${connectMs}`;
  let dispatcher = dispatchers.get(key);
  if (dispatcher === undefined) {
    const options = { connect: { timeout: connectMs }, keepAliveTimeout: 1000 };
    dispatcher = proxy === undefined ? new Agent(options) : new ProxyAgent({ ...options, uri: proxy });
    dispatchers.set(key, dispatcher);
  }
  return dispatcher;
};

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host is not known (no network?)',
  EAI_AGAIN: 'the host cannot be looked up (no network?)',
  ECONNREFUSED: 'nothing answers there',
  ECONNRESET: 'the connection broke off',
  UND_ERR_SOCKET: 'the connection broke off',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'nothing more came in time',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'another number of bytes came than was announced',
};

/** What a failure on the line means. */
export const connectionLost = (url: URL, error: unknown): ConnectionLost => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason =
    error instanceof errors.HTTPParserError ? 'what came is no valid HTTP' : (reasons[code] ?? messageOf(error));
  return new ConnectionLost(`${url.host}: ${reason}`, { cause: error });
};
