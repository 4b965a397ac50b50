import { randomUUID } from 'node:crypto';

/** Headers of every answer. */
export const COMMON_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/** Id of a request: the client's `X-Request-Id` if it is well-formed, or else a new one. */
export const requestIdOf = (given: string | null | undefined): string =>
  typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
