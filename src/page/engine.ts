import type { ImageKind } from '../inference/image-domain.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../web/index.ts';

/** Name of a task. */
export type Task = 'detect' | 'refer' | 'ask';

/** Result of a task. */
export type Result = DetectionResult | ReferResult | AnswerResult;

/** Kind of an image, which decides about the embedded model that it is given to. */
export type { ImageKind };

/** An image of the page: its file, and what is drawn. */
export interface PageImage {
  readonly name: string;
  readonly kind: ImageKind;
  /** The file, or a frame of the camera. */
  readonly source: Blob | ImageBitmap;
  readonly bitmap: ImageBitmap;
}

/** Options of a run. The threshold is low, so that the slider needs no new run. */
export interface RunOptions {
  readonly threshold: number;
  readonly masks: boolean;
}

/** A model that runs in the page or on a server. */
export interface Engine {
  /** Name of the device, for display. */
  readonly device: string;
  /** Sentences about what was not available. */
  readonly reason: string;
  /** Whether masks can be predicted for a kind of image. */
  hasMasks(kind: ImageKind): boolean;
  /** Runs a task on an image; a further caption for the same image does not encode it again. */
  run(task: Task, image: PageImage, text: string, options: RunOptions): Promise<Result>;
}
