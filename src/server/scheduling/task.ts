import type { InferenceRequest } from '../worker/messages.ts';

/** Results of a request, and how they were computed. */
export interface Outcome {
  /** One JSON object per text. */
  readonly results: readonly string[];
  readonly batch: number;
  readonly isCached: boolean;
  /** Time before a worker had it, in milliseconds. */
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
  /** Number of workers that died with it. */
  attempts: number;
  /** Its caller has gone. */
  isGivenUp: boolean;
  readonly acceptedMs: number;
  /** When a worker got it. */
  startedMs: number | undefined;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}
