import { createHash } from 'node:crypto';
import { Hono, type Context } from 'hono';
import { messageOf } from '../errors.ts';
import { packageVersion } from '../files/package-folder.ts';
import { packagedPage } from '../files/packaged-page.ts';
import { COMMON_HEADERS, requestIdOf } from './http/common-headers.ts';
import { docsPage, DOCS_STYLE } from './http/docs-page.ts';
import { EarlyRefusals } from './http/early-refusal.ts';
import { checkOrigin, checkToken, ClientGone } from './http/guards.ts';
import { openApiDocument } from './http/openapi.ts';
import { predictTasks } from './label-studio/ml-backend.ts';
import { PageFiles } from './http/page-files.ts';
import type { RequestContext } from './http/request-context.ts';
import { logMs } from './log.ts';
import { Problem } from './problems.ts';
import type { RequestFacts, Service } from './service.ts';
import { TASKS } from './worker/messages.ts';

/** Values of a request that its route and the log share. */
interface Variables {
  readonly requestId: string;
  readonly facts: RequestFacts;
}

/** The routes. */
export interface App {
  /** Answers a request. */
  fetch(request: Request, context: RequestContext): Response | Promise<Response>;
  /** Refuses a request by its head while the server is overloaded. */
  readonly refusals: EarlyRefusals;
}

type AppContext = Context<{ Variables: Variables; Bindings: RequestContext }>;

type Handle = (context: AppContext) => Response | Promise<Response>;

/** Handlers by HTTP method. */
type Methods = Readonly<Record<string, Handle>>;

/** Handlers by path. */
type Routes = Record<string, Methods>;

/** The routes of a server. */
export const createApp = (service: Service): App => {
  const { settings } = service;
  const app = new Hono<{ Variables: Variables; Bindings: RequestContext }>().basePath(settings.basePath);
  const document = openApiDocument(packageVersion(), settings);
  const guarded = guardedBy(settings.token);
  const routes: Routes = {
    '/healthz': { GET: (context) => context.json({ status: 'ok' }) },
    '/readyz': {
      GET: (context) => context.json({ status: 'ready', workersReady: service.readiness() }),
    },
    '/openapi.json': { GET: (context) => context.json(document) },
    '/docs': { GET: (context) => html(context, docsPage(document, originOf(context, settings.basePath)), DOCS_STYLE) },
    '/metrics': {
      GET: guarded(async (context) => {
        const { body, contentType } = await service.metrics.text();
        return context.body(body, 200, { 'content-type': contentType });
      }),
    },
    '/v1/models': { GET: guarded(async (context) => context.json({ models: await service.models() })) },
    ...Object.fromEntries(
      TASKS.map((task) => [
        `/v1/${task}`,
        {
          POST: guarded(async (context) => {
            const json = await service.run(task, context.req.raw, context.env, context.get('facts'));
            return context.body(json, 200, { 'content-type': 'application/json' });
          }),
        },
      ]),
    ),
  };
  if (settings.labelStudio !== false) Object.assign(routes, labelStudioRoutes(service));
  for (const [path, methods] of Object.entries(routes))
    app.all(path, (context) => answer(service, context, path, methods));
  const files = packagedPage();
  const page = files && new PageFiles(files);
  app.notFound((context) => {
    const { path, method } = context.req;
    const inside = path.startsWith(settings.basePath) ? path.slice(settings.basePath.length) || '/' : undefined;
    // The page is missing where the package was built without it; the documentation is always there.
    if (inside === '/' && page?.has('/') !== true)
      return answer(service, context, '/', { GET: () => context.redirect(`${settings.basePath}/docs`) });
    if (inside !== undefined && page?.has(inside) === true)
      return answer(service, context, 'page', { GET: () => page.answer(inside, context.req.header('if-none-match')) });
    return answer(service, context, 'none', { [method]: noSuchPath, GET: noSuchPath });
  });
  const waiting = [...TASKS.map((task) => `/v1/${task}`), ...(settings.labelStudio === false ? [] : ['/predict'])];
  const refusals = new EarlyRefusals(service, waiting);
  return { fetch: (request, context) => app.fetch(request, context), refusals };
};

/** Adds the check of the bearer token to handlers. */
const guardedBy =
  (token: string | undefined) =>
  (handle: Handle): Handle =>
  (context) => {
    checkToken(context.req.raw, token);
    return handle(context);
  };

/** Paths of Label Studio's protocol for machine learning backends. Training is not part of it: `mdetr train` does that. */
const labelStudioRoutes = (service: Service): Routes => {
  const guarded = (handle: (context: AppContext) => Promise<object>): Handle =>
    guardedBy(service.settings.token)(async (context) => context.json(await handle(context)));
  const version = async (): Promise<object> => ({ model_version: (await service.models())[0]!.name });
  return {
    '/health': { GET: (context) => context.json({ status: 'UP', model_class: 'MDETR' }) },
    '/setup': { POST: guarded(version) },
    '/versions': { GET: guarded(async () => ({ versions: (await service.models()).map(({ name }) => name) })) },
    '/predict': {
      POST: guarded((context) => predictTasks(service, context.req.raw, context.env, context.get('facts'))),
    },
    '/train': { POST: guarded(() => Promise.resolve({})) },
    '/webhook': { POST: guarded(() => Promise.resolve({})) },
  };
};

const noSuchPath = (): never => {
  throw new Problem('not-found', 'see /docs for the paths');
};

/** Calls the handler for a request's method and logs the request. */
const answer = async (service: Service, context: AppContext, route: string, methods: Methods): Promise<Response> => {
  const started = performance.now();
  const request = context.req.raw;
  const requestId = requestIdOf(request.headers.get('x-request-id'));
  const facts: RequestFacts = {};
  context.set('requestId', requestId);
  context.set('facts', facts);
  const { method } = request;
  const cors = corsHeaders(request, service.settings.cors);
  let response: Response;
  try {
    checkOrigin(request, service.settings);
    const allowed = Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
    const handle = methods[method === 'HEAD' ? 'GET' : method];
    if (method === 'OPTIONS' && route !== 'none') response = preflight(allowed);
    else if (handle === undefined)
      throw new Problem('method-not-allowed', `this path has ${allowed.join(', ')}`, {
        headers: { allow: allowed.join(', ') },
      });
    else response = await handle(context);
  } catch (error) {
    response = problemOf(service, error, requestId, facts).response(requestId);
  }
  for (const [name, value] of Object.entries({ ...COMMON_HEADERS, ...cors, 'x-request-id': requestId }))
    if (!response.headers.has(name)) response.headers.set(name, value);
  if (service.isClosing) response.headers.set('connection', 'close');
  const ms = logMs(performance.now() - started);
  const entry = { event: 'request', requestId, method, route, status: response.status, ms, ...facts } as const;
  service.answered(entry);
  return response;
};

/** The problem response for an error. Internal errors are logged with their stack. */
const problemOf = (service: Service, error: unknown, requestId: string, facts: RequestFacts): Problem => {
  const problem =
    error instanceof Problem
      ? error
      : error instanceof ClientGone
        ? new Problem('deadline-exceeded', error.message)
        : new Problem('internal', 'an error of the server; its log has the details', { cause: error });
  facts.problem = error instanceof ClientGone ? 'client-gone' : problem.problem;
  // Other errors are not logged: messages of parsers quote the body.
  if (problem.problem === 'internal' || (problem.problem === 'not-ready' && problem.cause instanceof Error)) {
    const cause = problem.cause ?? problem;
    const stack = cause instanceof Error ? cause.stack : undefined;
    service.log({ event: 'error', requestId, message: messageOf(cause), stack });
  }
  return problem;
};

const preflight = (methods: readonly string[]): Response =>
  new Response(null, {
    status: 204,
    headers: {
      allow: methods.join(', '),
      'access-control-allow-methods': methods.join(', '),
      'access-control-allow-headers': 'authorization, content-type, x-request-id',
      'access-control-max-age': '600',
    },
  });

/** CORS headers for a page of an allowed origin. */
const corsHeaders = (request: Request, origins: readonly string[]): Readonly<Record<string, string>> => {
  const origin = request.headers.get('origin');
  if (origin === null || !(origins.includes('*') || origins.includes(origin))) return {};
  return {
    'access-control-allow-origin': origins.includes('*') ? '*' : origin,
    'access-control-expose-headers': 'x-request-id, retry-after',
    vary: 'origin',
  };
};

/** Origin of the server as in the client's request. */
const originOf = (context: AppContext, basePath: string): string => new URL(context.req.url).origin + basePath;

/** A page without scripts and with inline styles only. */
const html = (context: AppContext, page: string, style: string): Response => {
  const digest = createHash('sha256').update(style).digest('base64');
  return context.body(page, 200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  });
};
