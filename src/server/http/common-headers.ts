import { randomUUID } from 'node:crypto';
import type { PlainAnswer } from './request-context.ts';

/** Headers of every answer. */
const COMMON_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/** An answer with the headers of every answer, which its own replace, and with its length if it has a body. */
export const completedAnswer = <Content extends PlainAnswer['body']>(
  { status, headers, body }: PlainAnswer<Content>,
  requestId: string,
): PlainAnswer<Content> => {
  const all: Record<string, string> = { ...COMMON_HEADERS, 'x-request-id': requestId, ...headers };
  if (body !== null) all['content-length'] = String(Buffer.byteLength(body));
  return { status, headers: all, body };
};

/** Id of a request: the client's `X-Request-Id` if it is well-formed, or else a new one. */
export const requestIdOf = (given: string | null | undefined): string =>
  typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
