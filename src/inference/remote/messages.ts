import type { ModelFacts } from '../model-core.ts';
import type { Preprocessing } from '../../model-folder/preprocessing.ts';
import type { AnswerOutputs } from '../../postprocess/answers.ts';
import type { DetectionOutputs, ImageSize } from '../../postprocess/scored-boxes.ts';

/** One end of a message channel: a `Worker`, the scope of one, or a `MessagePort`, behind the same two functions. */
export interface Port {
  post(message: object, transfer?: readonly ArrayBuffer[]): void;
  listen(listener: (message: unknown) => void): void;
}

/** Methods of a core that another thread calls, with arguments that can be cloned. */
export type RemoteMethod =
  'prepare' | 'encode' | 'encodePrepared' | 'predict' | 'detect' | 'refer' | 'ask' | 'predictMasks' | 'dispose';

/** Messages to the thread that has the model. */
export type Request =
  | { readonly kind: 'call'; readonly id: number; readonly method: RemoteMethod; readonly args: readonly unknown[] }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'release'; readonly handles: readonly number[] };

/** Messages from the thread that has the model. */
export type Reply =
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: SentError };

/** Facts about a model that the calling thread knows without asking. */
export interface RemoteFacts extends ModelFacts {
  readonly device: string;
  readonly hasMasks: boolean;
  readonly preprocessing: Preprocessing;
}

/** A handle of features in the other thread. */
export interface SentImages {
  readonly handle: number;
  readonly sizes: readonly ImageSize[];
}

/** Network outputs of one caption. */
export interface SentOutputs {
  readonly detection: DetectionOutputs;
  readonly answers: AnswerOutputs;
  readonly size: ImageSize;
  readonly encoding: SentEncoding;
}

/** An `Encoding` without its methods. */
export interface SentEncoding {
  readonly text: string;
  readonly ids: Int32Array;
  readonly tokens: readonly string[];
  readonly offsets: readonly (readonly [begin: number, end: number])[];
  readonly truncatedFrom: number | undefined;
  readonly warnings: readonly string[];
}

/** An error as it crosses threads: structured clones lose the class. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}
