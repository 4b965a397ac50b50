import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem } from '../problems.ts';
import type { ServerSettings } from '../options.ts';

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Token in an `authorization` header: a bearer token, or the password of basic authentication, which Label Studio sends. */
const givenToken = (header: string): string => {
  const [, kind = '', value = ''] = /^(Bearer|Basic) +(\S+) *$/i.exec(header) ?? [];
  if (kind.toLowerCase() !== 'basic') return value;
  const credentials = Buffer.from(value, 'base64').toString();
  return credentials.includes(':') ? credentials.slice(credentials.indexOf(':') + 1) : '';
};

/** Whether the header `authorization` has the server's token, if it has one; in a time that does not depend on its value. */
export const hasToken = (authorization: string | null | undefined, token: string | undefined): boolean =>
  token === undefined || timingSafeEqual(digestOf(givenToken(authorization ?? '')), digestOf(token));

/** Checks the bearer token. @throws {Problem} without it */
export const checkToken = (request: Request, token: string | undefined): void => {
  if (!hasToken(request.headers.get('authorization'), token))
    throw new Problem('unauthorized', 'send the header "Authorization: Bearer TOKEN"', {
      headers: { 'www-authenticate': 'Bearer' },
    });
};

/** Whether a request may address the server by the name in the header `host`. */
export const isKnownHost = (host: string, hosts: readonly string[] | undefined): boolean =>
  hosts === undefined || hosts.includes(host.replace(/:\d+$/, '').toLowerCase());

/**
 * Checks the host and the origin of a request, so that a page of another site can neither use the server of
 * its visitor nor pose as its host (DNS rebinding).
 *
 * @throws {Problem} for another host or a page of another origin
 */
export const checkOrigin = (request: Request, { hosts, cors }: Pick<ServerSettings, 'hosts' | 'cors'>): void => {
  const host = request.headers.get('host') ?? new URL(request.url).host;
  if (!isKnownHost(host, hosts))
    throw new Problem('unknown-host', 'address the server by one of its names (see --allow-host)');
  const origin = request.headers.get('origin');
  if (origin === null || cors.includes('*') || cors.includes(origin)) return;
  if (!URL.canParse(origin) || new URL(origin).host.toLowerCase() !== host.toLowerCase())
    throw new Problem('forbidden-origin', 'pages of this origin may not call the server (see --cors)');
};

/** Number of concurrent requests of each client. */
export class ClientLimit {
  private readonly counts = new Map<string, number>();

  constructor(private readonly max: number | undefined) {}

  /** Counts a request until the returned function is called. @throws {Problem} if the client has too many */
  enter(client: string | undefined): () => void {
    if (this.max === undefined || client === undefined) return () => undefined;
    const count = this.counts.get(client) ?? 0;
    if (count >= this.max)
      throw new Problem('too-many-requests', `at most ${this.max} requests at a time`, {
        headers: { 'retry-after': '1' },
      });
    this.counts.set(client, count + 1);
    return () => {
      const left = this.counts.get(client)! - 1;
      if (left === 0) this.counts.delete(client);
      else this.counts.set(client, left);
    };
  }
}

/** Aborts a request when its client disconnects or its deadline passes. */
export class Deadline {
  private readonly stop = new AbortController();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly client: AbortSignal,
    seconds: number,
  ) {
    this.timer = setTimeout(
      () => this.stop.abort(new Problem('deadline-exceeded', `the request took longer than ${seconds} s`)),
      seconds * 1000,
    );
    if (client.aborted) this.gone();
    else client.addEventListener('abort', this.gone, { once: true });
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  /** Cancels the deadline. */
  clear(): void {
    clearTimeout(this.timer);
    this.client.removeEventListener('abort', this.gone);
  }

  private readonly gone = (): void => this.stop.abort(new ClientGone('the client has gone'));
}

/** The client closed its connection, so the response is discarded. */
export class ClientGone extends Error {
  override name = 'ClientGone';
}
