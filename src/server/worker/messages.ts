import type { ServerModel } from '../options.ts';
import type { ProblemName } from '../problems.ts';
import type { ThreadFailure } from '../../threads/thread-failure.ts';

/** The three tasks; each is a path of the API. */
export const TASKS = ['detect', 'refer', 'ask'] as const;
/** Name of a task, the last segment of its path. */
export type TaskName = (typeof TASKS)[number];

/** Options of a request that change its results. */
export interface RequestOptions {
  readonly threshold?: number | undefined;
  readonly spanThreshold?: number | undefined;
  readonly masks?: boolean | undefined;
  readonly truncation?: 'error' | 'end' | undefined;
}

/** A request to a worker: a task on one image and its captions. */
export interface InferenceRequest {
  readonly task: TaskName;
  readonly model: string;
  readonly texts: readonly string[];
  readonly options: RequestOptions;
  /** Bytes of an image file. */
  readonly image: Uint8Array;
  /** SHA-256 of the image, the key of its cached features. */
  readonly imageDigest: string;
  /** Name of the image in results. */
  readonly imageName: string;
}

/** A request as a worker gets it: without the bytes of an image whose features it probably has. */
export type WorkerRequest = Omit<InferenceRequest, 'image'> & { readonly image: Uint8Array | undefined };

/** Description of a model for clients. */
export interface ModelDescription {
  readonly name: string;
  readonly device: string;
  readonly tasks: readonly TaskName[];
  readonly masks: boolean;
  readonly queries: number;
  readonly maxTokens: number;
  readonly notice: string | null;
}

/** Milliseconds of the parts of a request. */
export interface PartTimes {
  /** Decoding and resizing one image. */
  readonly prepareMs: number;
  /** The image program, per image. */
  readonly imageMs: number;
  /** The transformer, masks and post-processing, per caption. */
  readonly textMs: number;
}

/** Settings of a worker. */
export interface WorkerSettings {
  readonly models: readonly ServerModel[];
  readonly device: string;
  readonly threads?: number | undefined;
  readonly cacheDir?: string | undefined;
  readonly batchSize: number;
  readonly maxPixels: number;
  readonly imageCacheBytes: number;
}

/** How long a request may wait for others. */
export interface WaitLimit {
  /** When it was accepted, on the clock that processes share. */
  readonly acceptedMs: number;
  /** Time that it may wait, without that of decoding its own image; Infinity for one that must be answered. */
  readonly maxWaitMs: number;
}

/** Messages to a worker. */
export type ToWorker =
  | { readonly kind: 'open'; readonly settings: WorkerSettings }
  | { readonly kind: 'run'; readonly id: number; readonly request: WorkerRequest; readonly limit: WaitLimit }
  | { readonly kind: 'image'; readonly id: number; readonly image: Uint8Array }
  | { readonly kind: 'cancel'; readonly id: number };

/** Parts of the time of a request in its worker, in milliseconds. */
export interface RequestTiming {
  /** Decoding and resizing its image. */
  readonly prepareMs: number;
  /** Waiting for other requests. */
  readonly waitMs: number;
  /** The batch in which it ran. */
  readonly batchMs: number;
}

/** A request that was computed. */
export interface Done {
  readonly id: number;
  /** One JSON object per caption, as `--json` prints it. */
  readonly results: readonly string[];
  /** Number of requests in its batch. */
  readonly batch: number;
  readonly isCached: boolean;
  readonly timing: RequestTiming;
}

/** A request that was given up before its batch, because it had waited longer than its limit. */
export interface Expired {
  readonly kind: 'expired';
  readonly id: number;
  readonly waitMs: number;
}

/** The features of a request's image are not there any more, so its bytes are needed. */
export interface MissingImage {
  readonly kind: 'missing-image';
  readonly id: number;
}

/** The answer to `open`. */
export type StartReport =
  | { readonly kind: 'opened'; readonly models: readonly ModelDescription[]; readonly times: readonly PartTimes[] }
  | { readonly kind: 'unusable'; readonly failure: ThreadFailure };

/** A batch that was computed: one message, because each takes as long as a caption's post-processing. */
export interface BatchReport {
  readonly kind: 'batch';
  readonly model: string;
  /** Its requests, without those that were canceled meanwhile. */
  readonly done: readonly Done[];
  readonly requests: number;
  readonly images: number;
  readonly texts: number;
  /** Duration of the batch. */
  readonly ms: number;
  readonly times: PartTimes;
}

/** Reports of a worker about its requests. */
export type WorkReport =
  | Expired
  | MissingImage
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly problem: ProblemName;
      readonly detail: string;
      readonly stack?: string | undefined;
    }
  | BatchReport;

/** Messages from a worker. */
export type FromWorker = StartReport | WorkReport;
