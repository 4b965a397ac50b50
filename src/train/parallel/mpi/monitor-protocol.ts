/** Address of a process that watches the others. */
export interface HubAddress {
  readonly rank: number;
  readonly host: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

/** The failure that ends a group. */
export interface Verdict {
  /** Process that failed, and its host if that is known. */
  readonly rank: number;
  readonly host: string | undefined;
  readonly reason: string;
  /** Process that reports it: the lowest live rank. */
  readonly speaker: number;
}

/** Messages between processes, one JSON object a line. */
export type MonitorMessage =
  | { readonly kind: 'hello'; readonly rank: number; readonly host: string; readonly token: string }
  | { readonly kind: 'beat' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'bye' }
  | { readonly kind: 'end'; readonly verdict: Verdict };

/** Task of the thread that watches over a group. */
export interface MonitorTask {
  readonly rank: number;
  readonly size: number;
  readonly host: string;
  /** Secret of the group: other connections are refused. */
  readonly token: string;
  /** Time without a beat after which a process counts as dead. */
  readonly deadAfterMs: number;
}

/** Messages from the first thread to the monitor. */
export type MonitorOrder =
  | { readonly kind: 'connect'; readonly hubs: readonly HubAddress[] }
  | { readonly kind: 'fail'; readonly reason: string }
  | { readonly kind: 'leave' };

/** Messages from the monitor to the first thread. */
export type MonitorNews =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'connected' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'left' }
  | { readonly kind: 'end'; readonly verdict: Verdict };

/** Number of hubs: if the first one dies, the second reports it. */
export const HUBS = 2;

/** Calls a function for each complete line of a stream. @throws {Error} for a line longer than any message */
export const linesOf = (onLine: (line: string) => void): ((chunk: string) => void) => {
  let rest = '';
  return (chunk) => {
    rest += chunk;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      onLine(line);
    }
    if (rest.length > MAX_LINE_LENGTH) throw new Error('a line is too long');
  };
};

const MAX_LINE_LENGTH = 100_000;

/** The message about a failure. */
export const verdictText = ({ rank, host, reason }: Verdict, size: number): string =>
  `process ${rank} of ${size} (counted from 0)${host === undefined ? '' : ` on ${host}`} has failed: ${reason}`;
