import type { InferenceRequest } from '../worker/messages.ts';

/** Results of a request, and how they were computed. */
export interface Outcome {
  /** One JSON object per caption. */
  readonly results: readonly string[];
  readonly batch: number;
  readonly isCached: boolean;
  /** Time that it waited for other requests, in milliseconds. */
  readonly waitMs: number;
}

/** An accepted request. */
export interface Task {
  readonly id: number;
  readonly request: InferenceRequest;
  /** Digest of everything that the request computes. */
  readonly fingerprint: string;
  /** Expected time of its computation. */
  readonly costMs: number;
  /** Measured time of the work that was accepted before it. */
  readonly aheadMs: number;
  /** Number of workers that died while running it. */
  attempts: number;
  /** It was canceled. */
  isGivenUp: boolean;
  /** When it was accepted, on the clock that processes share. */
  readonly acceptedMs: number;
  /** Limit of the wait when it was accepted. */
  readonly maxWaitMs: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}
