/** Entry of the server's log. It contains no image, no text, no file name and no address of a client. */
export type LogEntry =
  | {
      readonly event: 'worker-ready';
      readonly worker: number;
      /** Id of its process. */
      readonly pid: number | undefined;
      /** Time of opening the models. */
      readonly ms: number;
    }
  | { readonly event: 'worker-exit'; readonly worker: number; readonly reason: string; readonly requests: number }
  | { readonly event: 'worker-failed'; readonly worker: number; readonly message: string }
  | { readonly event: 'listening'; readonly url: string }
  | { readonly event: 'draining'; readonly requests: number }
  | { readonly event: 'stopped' }
  | {
      readonly event: 'error';
      readonly requestId: string;
      readonly message: string;
      readonly stack: string | undefined;
    }
  | RequestEntry;

/** Entry for a request that was answered. */
export interface RequestEntry {
  /** Kind of entry. */
  readonly event: 'request';
  /** Id of the request, which the response repeats. */
  readonly requestId: string;
  /** HTTP method. */
  readonly method: string;
  /** Route as documented, not the path as requested. */
  readonly route: string;
  /** HTTP status. */
  readonly status: number;
  /** Duration in milliseconds. */
  readonly ms: number;
  /** Type of the problem, if the answer is one. */
  readonly problem?: string | undefined;
  /** Name of the model. */
  readonly model?: string | undefined;
  /** Number of captions. */
  readonly texts?: number | undefined;
  /** Size of the image file in bytes. */
  readonly imageBytes?: number | undefined;
  /** Time in which its body arrived, in milliseconds. */
  readonly bodyMs?: number | undefined;
  /** Time of decoding and resizing its image in milliseconds. */
  readonly prepareMs?: number | undefined;
  /** Time that it waited for other requests in milliseconds. */
  readonly waitMs?: number | undefined;
  /** Time of the batch in which it ran, in milliseconds. */
  readonly batchMs?: number | undefined;
  /** Number of requests that were computed together. */
  readonly batch?: number | undefined;
  /** Whether the encoded image was in the cache. */
  readonly isCached?: boolean | undefined;
}

/** Milliseconds as they are logged: with one decimal. */
export const logMs = (ms: number): number => Math.round(10 * ms) / 10;

/** A log entry as one line of JSON. */
export const logLine = (entry: LogEntry, time = new Date()): string => {
  const isServerError =
    entry.event === 'request' && entry.status >= 500 && entry.status !== 503 && entry.problem !== 'client-gone';
  const isTrouble = ['worker-exit', 'worker-failed', 'error'].includes(entry.event) || isServerError;
  return `${JSON.stringify({ time: time.toISOString(), level: isTrouble ? 'error' : 'info', ...entry })}\n`;
};
