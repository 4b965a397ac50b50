import type { Reply } from '../fetching/http.ts';

const MAX_RETRY_AFTER_MS = 300_000;

/** Validator that identifies this version of the file. Weak ETags do not guarantee equal bytes. */
export const validatorOf = ({ header }: Reply): string | undefined => {
  const tag = header('etag');
  return tag !== undefined && /^"[^"]*"$/.test(tag) ? tag : header('last-modified');
};

/** Delay in ms that the server requests by `Retry-After`, at most `MAX_RETRY_AFTER_MS`. */
export const retryAfterMsOf = ({ header }: Reply): number | undefined => {
  const text = header('retry-after') ?? '';
  const waitMs = /^\d{1,6}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
};

/** Length of the body in bytes that the server announces; undefined if there is none. */
export const lengthOf = ({ header }: Reply): number | undefined => {
  const text = header('content-length');
  return text === undefined || !/^\d{1,15}$/.test(text) ? undefined : Number(text);
};
