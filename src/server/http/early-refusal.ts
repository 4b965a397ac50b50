import { logMs } from '../log.ts';
import { problemJson, PROBLEM_TYPE, PROBLEMS, retryAfter } from '../problems.ts';
import type { Service } from '../service.ts';
import { completedAnswer, requestIdOf } from './common-headers.ts';
import { hasToken, isKnownHost } from './guards.ts';
import type { PlainAnswer, RequestHead } from './request-context.ts';

/** Bodies up to this size are read and dropped after an early refusal, so that the connection stays usable. */
const MAX_DROPPED_BYTES = 2 ** 20;

const { status } = PROBLEMS.overloaded;

/**
 * Refuses requests of an overloaded server by their head, before a `Request` is made. Such refusals come by the thousand on the
 * cores that compute the answers of accepted requests: each takes a tenth of what the routes need for it.
 *
 * It decides only what the routes would decide in the same way. All else (pages of other origins, a wrong token, a closing server,
 * large bodies) is left to them.
 */
export class EarlyRefusals {
  /** Routes by path. */
  private readonly routes: ReadonlyMap<string, string>;

  /** @param routes paths of requests that wait for a worker, without the base path */
  constructor(
    private readonly service: Service,
    routes: readonly string[],
  ) {
    this.routes = new Map(routes.map((route) => [service.settings.basePath + route, route]));
  }

  /** The refusal of a request; undefined for one that the routes have to answer. */
  of({ method, url = '', headers }: RequestHead): PlainAnswer<string> | undefined {
    const started = performance.now();
    const route = this.routes.get(url.split('?', 1)[0]!);
    if (route === undefined || method !== 'POST' || headers['origin'] !== undefined) return undefined;
    const overload = this.service.overload();
    if (overload === undefined || !this.isPlain(headers)) return undefined;
    const { detail, retryMs } = overload;
    const requestId = requestIdOf(textOf(headers['x-request-id']));
    const body = problemJson('overloaded', detail, requestId);
    this.service.answered({
      event: 'request',
      requestId,
      method,
      route,
      status,
      ms: logMs(performance.now() - started),
      problem: 'overloaded',
    });
    const own = { ...retryAfter(retryMs), 'content-type': PROBLEM_TYPE };
    return completedAnswer({ status, headers: own, body }, requestId);
  }

  /** Whether nothing but the overload stands against a request, and its body is short. */
  private isPlain(headers: RequestHead['headers']): boolean {
    const { hosts, token } = this.service.settings;
    const host = textOf(headers['host']);
    return (
      host !== undefined &&
      isKnownHost(host, hosts) &&
      Number(headers['content-length'] ?? Infinity) <= MAX_DROPPED_BYTES &&
      hasToken(textOf(headers['authorization']), token)
    );
  }
}

/** A header that occurs once. */
const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;
