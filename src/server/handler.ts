import { checkOptions } from '../options/check-options.ts';
import { createApp } from './app.ts';
import type { PlainAnswer, RequestContext, RequestHead } from './http/request-context.ts';
import { serverOptionRules, serverSettings, type ServerOptions } from './options.ts';
import { Service } from './service.ts';

/** A server as one function, for any framework that passes on a `Request`. */
export interface ServerHandler {
  /** Answers a request. Errors are responses of type `application/problem+json`. */
  (request: Request, context?: RequestContext): Promise<Response>;
  /** Answers a request as the handler itself, without a `Response`: for servers on Node's `http`, as `nodeListener` does. */
  answer(request: Request, context?: RequestContext): Promise<PlainAnswer>;
  /**
   * Answer for a request that the overloaded server refuses, made of its head alone; undefined for one that has to be handled.
   * Servers on Node's `http` ask it first, as `nodeListener` does: refusing the many is cheap then, and the accepted are faster.
   */
  refusal(head: RequestHead): PlainAnswer<string> | undefined;
  /** Opens the models, which the first request does otherwise. @throws {MdetrError} if one cannot be opened */
  ready(): Promise<void>;
  /** Refuses new requests, finishes the accepted ones, and ends the workers. */
  close(): Promise<void>;
}

/**
 * Makes the server of `mdetr serve` as a fetch handler: `POST /v1/detect`, `/v1/refer` and `/v1/ask`, `GET /v1/models`,
 * `/openapi.json`, `/docs`, `/healthz`, `/readyz` and `/metrics`. Inference runs in processes of its own, which start with
 * the first request, or with `ready`.
 *
 * @throws {UsageError} for unknown options or values of the wrong type
 * @example
 * import { createHandler } from 'mdetr/server';
 *
 * // app/api/mdetr/[...path]/route.ts of a Next.js application
 * const handler = createHandler({ basePath: '/api/mdetr' });
 * export const GET = (request: Request) => handler(request);
 * export const POST = GET;
 */
export const createHandler = (options: ServerOptions = {}): ServerHandler => {
  checkOptions('createHandler', options, serverOptionRules);
  const service = new Service(serverSettings(options));
  const app = createApp(service);
  const answer = (request: Request, context: RequestContext = {}): Promise<PlainAnswer> => app.answer(request, context);
  const handler = async (request: Request, context?: RequestContext): Promise<Response> =>
    responseOf(await answer(request, context), request.method);
  return Object.assign(handler, {
    answer,
    refusal: (head: RequestHead) => app.refusals.of(head),
    ready: async () => {
      await service.start();
    },
    close: () => service.close(),
  });
};

/** The `Response` for an answer to a request of a method. */
export const responseOf = ({ status, headers, body }: PlainAnswer, method = 'GET'): Response => {
  // What passes on the response knows its length, and may compress it.
  const { 'content-length': _, ...others } = headers;
  const content = method === 'HEAD' ? null : (body as string | Uint8Array<ArrayBuffer> | null);
  return new Response(content, { status, headers: others });
};
