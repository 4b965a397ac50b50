import type { Port, RemoteFacts, SentError } from '../inference/remote/messages.ts';
import type { DeviceChoice } from './device.ts';
import type { ProgressEvent } from './load-options.ts';
import type { LoadRequest } from './open-core.ts';

/** The first message to a worker. */
export interface LoadMessage {
  readonly kind: 'load';
  readonly request: LoadRequest;
}

/** Messages from a worker until its model is loaded. */
export type LoadReply =
  | { readonly kind: 'progress'; readonly event: ProgressEvent }
  | { readonly kind: 'loaded'; readonly facts: RemoteFacts; readonly choice: DeviceChoice }
  | { readonly kind: 'not-loaded'; readonly error: SentError };

/** Message channel between a worker and the thread that started it, seen from either end. */
export const portOf = (worker: Pick<Worker, 'postMessage' | 'addEventListener'>): Port => ({
  post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
  listen: (listener) => worker.addEventListener('message', ({ data }: MessageEvent<unknown>) => listener(data)),
});
