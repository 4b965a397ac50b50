import type { InferenceRequest, RequestTiming } from '../worker/messages.ts';

/** Results of a request, and how they were computed. */
export interface Outcome {
  /** One JSON object per caption. */
  readonly results: readonly string[];
  readonly batch: number;
  readonly isCached: boolean;
  readonly timing: RequestTiming;
}

/** An accepted request. */
export interface Task {
  readonly id: number;
  readonly request: InferenceRequest;
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
  /** Limit of its wait; Infinity if there was no other request when it was accepted. */
  readonly maxWaitMs: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}
