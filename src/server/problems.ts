import type { PlainAnswer } from './http/request-context.ts';

/** Every kind of error response: its status and title. The name is the end of its `type`, which never changes. */
export const PROBLEMS = {
  'malformed-request': { status: 400, title: 'The request is not valid HTTP' },
  'malformed-body': { status: 400, title: 'The body cannot be parsed' },
  unauthorized: { status: 401, title: 'A bearer token is required' },
  'forbidden-origin': { status: 403, title: 'Pages of this origin may not call the server' },
  'not-found': { status: 404, title: 'There is nothing at this path' },
  'method-not-allowed': { status: 405, title: 'The path does not have this method' },
  'request-timeout': { status: 408, title: 'The headers did not arrive in time' },
  'body-timeout': { status: 408, title: 'The body did not arrive in time' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body has another type than the documented ones' },
  'unknown-host': { status: 421, title: 'The server does not answer for this host' },
  'invalid-request': { status: 422, title: 'The request does not fit its schema' },
  'invalid-image': { status: 422, title: 'The image cannot be used' },
  'invalid-text': { status: 422, title: 'The text cannot be used' },
  'unknown-model': { status: 422, title: 'The server has no model of this name' },
  'unsupported-task': { status: 422, title: 'The model cannot do this' },
  'image-url-refused': { status: 422, title: 'The URL of the image may not be fetched' },
  'image-url-failed': { status: 422, title: 'The image could not be fetched from its URL' },
  'crashes-worker': { status: 422, title: 'This request crashed two workers before and is not tried again' },
  'too-many-requests': { status: 429, title: 'Too many requests of this client at a time' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'The server failed' },
  'worker-crashed': { status: 500, title: 'The worker crashed twice on this request' },
  overloaded: { status: 503, title: 'The server is overloaded' },
  'not-ready': { status: 503, title: 'No worker is ready' },
  draining: { status: 503, title: 'The server is shutting down' },
  'deadline-exceeded': { status: 504, title: 'The request took too long' },
} as const;

/** Name of a kind of error. */
export type ProblemName = keyof typeof PROBLEMS;

/** Beginning of the `type` of every problem. */
export const PROBLEM_PREFIX = 'urn:mdetr:problem:';

/** An invalid field of a request. */
export interface FieldError {
  /** Path of the field: `captions.0`. */
  readonly path: string;
  readonly message: string;
}

/** An error that is sent to the client (RFC 9457). */
export class Problem extends Error {
  override name = 'Problem';
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldError[] | undefined;

  constructor(
    readonly problem: ProblemName,
    detail: string,
    options: ErrorOptions & {
      readonly headers?: Readonly<Record<string, string>> | undefined;
      readonly errors?: readonly FieldError[] | undefined;
    } = {},
  ) {
    super(detail, options);
    this.headers = options.headers ?? {};
    this.errors = options.errors;
  }

  get status(): number {
    return PROBLEMS[this.problem].status;
  }

  /** The answer, as `application/problem+json`. */
  answer(requestId: string): PlainAnswer<string> {
    return {
      status: this.status,
      headers: { 'content-type': PROBLEM_TYPE, ...this.headers },
      body: problemJson(this.problem, this.message, requestId, this.errors),
    };
  }
}

/** Media type of problems. */
export const PROBLEM_TYPE = 'application/problem+json';

/** Body of a response with a problem. */
export const problemJson = (
  problem: ProblemName,
  detail: string,
  requestId: string,
  errors?: readonly FieldError[],
): string => {
  const { status, title } = PROBLEMS[problem];
  return JSON.stringify({ type: `${PROBLEM_PREFIX}${problem}`, title, status, detail, requestId, errors });
};

/** Header for 503: when to try again, in whole seconds. */
export const retryAfter = (ms: number): Readonly<Record<string, string>> => ({
  'retry-after': String(Math.max(1, Math.ceil(ms / 1000))),
});
