import type { Detection, ReferredDetection } from '../postprocess/detections.ts';
import type { QuestionAnswer } from '../postprocess/answers.ts';
import type { PackedCocoRle } from '../geometry/run-lengths.ts';

/** A found object: box in pixels of the original picture, score, the caption's phrases, and its mask when asked for. */
export interface DetectedObject extends Detection {
  readonly mask?: PackedCocoRle;
}

/** Where the time went. Work that several texts or pictures share is told in full with each of them. */
export interface Timing {
  /** Decoding and resizing. */
  readonly preprocess: number;
  /** The network. */
  readonly model: number;
  /** From the network's numbers to results. */
  readonly postprocess: number;
}

interface ResultBase {
  /** Size of the original picture in pixels. */
  readonly width: number;
  readonly height: number;
  /** What the caller should know about this text, such as words beyond the model's reach. */
  readonly warnings: readonly string[];
  readonly timingMs: Timing;
}

export interface DetectionResult extends ResultBase {
  readonly caption: string;
  /** Best first; empty when nothing in the picture fits the caption. */
  readonly detections: readonly DetectedObject[];
}

export interface ReferResult extends ResultBase {
  readonly expression: string;
  /** The one object that the expression refers to; undefined when a threshold was given and nothing exceeds it. */
  readonly best: (ReferredDetection & { readonly mask?: PackedCocoRle }) | undefined;
  /** Everything above the box threshold, best first. */
  readonly detections: readonly DetectedObject[];
}

export interface AnswerResult extends ResultBase, QuestionAnswer {
  readonly question: string;
  /** The boxes that the model looked at. */
  readonly detections: readonly DetectedObject[];
}
