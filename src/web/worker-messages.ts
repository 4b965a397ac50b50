import type { RemoteFacts, SentError } from '../inference/remote/messages.ts';
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
