import { createHash } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { packageVersion } from '../files/package-folder.ts';
import { packagedPage } from '../files/packaged-page.ts';
import { completedAnswer, requestIdOf } from './http/common-headers.ts';
import { docsPage, DOCS_STYLE } from './http/docs-page.ts';
import { EarlyRefusals } from './http/early-refusal.ts';
import { checkOrigin, checkToken, ClientGone } from './http/guards.ts';
import { openApiDocument } from './http/openapi.ts';
import { predictTasks } from './label-studio/ml-backend.ts';
import { PageFiles } from './http/page-files.ts';
import type { PlainAnswer, RequestContext } from './http/request-context.ts';
import { logMs } from './log.ts';
import { Problem } from './problems.ts';
import type { RequestFacts, Service } from './service.ts';
import { TASKS } from './worker/messages.ts';

/** A request, and what its route and the log share. */
interface Call {
  readonly request: Request;
  readonly context: RequestContext;
  readonly facts: RequestFacts;
}

/** The routes. */
export interface App {
  /** Answers a request. */
  answer(request: Request, context: RequestContext): Promise<PlainAnswer>;
  /** Refuses a request by its head while the server is overloaded. */
  readonly refusals: EarlyRefusals;
}

type Handle = (call: Call) => PlainAnswer | Promise<PlainAnswer>;

/** Handlers by HTTP method. */
type Methods = Readonly<Record<string, Handle>>;

/** Handlers by path. */
type Routes = Record<string, Methods>;

/** The routes of a server. */
export const createApp = (service: Service): App => {
  const { settings } = service;
  const document = openApiDocument(packageVersion(), settings);
  const guarded = guardedBy(settings.token);
  const routes: Routes = {
    '/healthz': { GET: () => jsonAnswer({ status: 'ok' }) },
    '/readyz': { GET: () => jsonAnswer({ status: 'ready', workersReady: service.readiness() }) },
    '/openapi.json': { GET: () => jsonAnswer(document) },
    '/docs': {
      GET: ({ request }) => html(docsPage(document, new URL(request.url).origin + settings.basePath), DOCS_STYLE),
    },
    '/metrics': {
      GET: guarded(async () => {
        const { body, contentType } = await service.metrics.text();
        return { status: 200, headers: { 'content-type': contentType }, body };
      }),
    },
    '/v1/models': { GET: guarded(async () => jsonAnswer({ models: await service.models() })) },
    ...Object.fromEntries(
      TASKS.map((task) => [
        `/v1/${task}`,
        {
          POST: guarded(async ({ request, context, facts }) => ({
            status: 200,
            headers: JSON_HEADERS,
            body: await service.run(task, request, context, facts),
          })),
        },
      ]),
    ),
  };
  if (settings.labelStudio !== false) Object.assign(routes, labelStudioRoutes(service));
  const byPath = new Map(Object.entries(routes));
  const files = packagedPage();
  const page = files && new PageFiles(files);
  const pageMethods = (path: string): Methods => ({
    GET: ({ request }) => page!.answer(path, request.headers.get('if-none-match') ?? undefined),
  });
  const answerPath = (call: Call, path: string): Promise<PlainAnswer> => {
    const methods = byPath.get(path);
    if (methods !== undefined) return answer(service, call, path, methods);
    if (page?.has(path) === true) return answer(service, call, 'page', pageMethods(path));
    // The page is missing where the package was built without it; the documentation is always there.
    if (path === '/') return answer(service, call, '/', { GET: () => redirect(`${settings.basePath}/docs`) });
    return answer(service, call, 'none', { [call.request.method]: noSuchPath, GET: noSuchPath });
  };
  const waiting = [...TASKS.map((task) => `/v1/${task}`), ...(settings.labelStudio === false ? [] : ['/predict'])];
  const refusals = new EarlyRefusals(service, waiting);
  return {
    answer: (request, context) =>
      answerPath({ request, context, facts: {} }, pathBelow(settings.basePath, pathOf(request.url))),
    refusals,
  };
};

/** Path of an absolute URL, as it is encoded there. */
const pathOf = (url: string): string => {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  return start < 0 ? '/' : /^[^?#]*/.exec(url.slice(start))![0];
};

/** Path below a base path; empty if it is outside. */
const pathBelow = (basePath: string, path: string): string => {
  if (!path.startsWith(basePath)) return '';
  const rest = path.slice(basePath.length);
  return rest === '' ? '/' : rest.startsWith('/') ? rest : '';
};

/** Adds the check of the bearer token to handlers. */
const guardedBy =
  (token: string | undefined) =>
  (handle: Handle): Handle =>
  (call) => {
    checkToken(call.request, token);
    return handle(call);
  };

/** Paths of Label Studio's protocol for machine learning backends. Training is not part of it: `mdetr train` does that. */
const labelStudioRoutes = (service: Service): Routes => {
  const guarded = (handle: (call: Call) => Promise<object>): Handle =>
    guardedBy(service.settings.token)(async (call) => jsonAnswer(await handle(call)));
  const version = async (): Promise<object> => ({ model_version: (await service.models())[0]!.name });
  return {
    '/health': { GET: () => jsonAnswer({ status: 'UP', model_class: 'MDETR' }) },
    '/setup': { POST: guarded(version) },
    '/versions': { GET: guarded(async () => ({ versions: (await service.models()).map(({ name }) => name) })) },
    '/predict': {
      POST: guarded(({ request, context, facts }) => predictTasks(service, request, context, facts)),
    },
    '/train': { POST: guarded(() => Promise.resolve({})) },
    '/webhook': { POST: guarded(() => Promise.resolve({})) },
  };
};

const noSuchPath = (): never => {
  throw new Problem('not-found', 'see /docs for the paths');
};

/** Calls the handler for a request's method and logs the request. */
const answer = async (service: Service, call: Call, route: string, methods: Methods): Promise<PlainAnswer> => {
  const started = performance.now();
  const { request, facts } = call;
  const requestId = requestIdOf(request.headers.get('x-request-id'));
  const { method } = request;
  let found: PlainAnswer;
  try {
    checkOrigin(request, service.settings);
    const handle = methods[method === 'HEAD' ? 'GET' : method];
    if (method === 'OPTIONS' && route !== 'none') found = preflight(allowedOf(methods));
    else if (handle === undefined) {
      const allow = allowedOf(methods).join(', ');
      throw new Problem('method-not-allowed', `this path has ${allow}`, { headers: { allow } });
    } else found = await handle(call);
  } catch (error) {
    found = problemOf(service, error, requestId, facts).answer(requestId);
  }
  const { status, body } = found;
  const headers: Record<string, string> = { ...corsHeaders(request, service.settings.cors), ...found.headers };
  if (service.isClosing) headers['connection'] = 'close';
  const completed = completedAnswer({ status, headers, body }, requestId);
  const ms = logMs(performance.now() - started);
  service.answered({ event: 'request', requestId, method, route, status, ms, ...facts });
  return completed;
};

const allowedOf = (methods: Methods): string[] =>
  Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));

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

const preflight = (methods: readonly string[]): PlainAnswer => ({
  status: 204,
  headers: {
    allow: methods.join(', '),
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': 'authorization, content-type, x-request-id',
    'access-control-max-age': '600',
  },
  body: null,
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

const JSON_HEADERS = { 'content-type': 'application/json' } as const;

const jsonAnswer = (value: object): PlainAnswer => ({
  status: 200,
  headers: JSON_HEADERS,
  body: JSON.stringify(value),
});

const redirect = (location: string): PlainAnswer => ({ status: 302, headers: { location }, body: null });

/** A page without scripts and with inline styles only. */
const html = (page: string, style: string): PlainAnswer => {
  const digest = createHash('sha256').update(style).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return {
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
    body: page,
  };
};
