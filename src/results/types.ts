import type { BoxXywh, BoxXyxy } from '../geometry/boxes.ts';
import type { PackedCocoRle } from '../geometry/run-lengths.ts';
import type { Span, TextSpan } from '../text/index.ts';

/**
 * The form of results: what the library returns, `--json` prints and the service answers. `schema.ts` describes the same
 * form for readers of JSON; a test keeps the two equal.
 */

/** Version of the form of results. It rises when a reader of the old form would misread a new one. */
export const RESULTS_VERSION = 1;

/** A detected object: its box, the phrases of the caption that refer to it, and its mask if requested. */
export interface DetectedObject {
  /** x0, y0, x1, y1 in pixels of the original image. Not clamped, so a box may reach a little beyond the image. */
  readonly box: BoxXyxy;
  /** `box` clamped to the image. */
  readonly clampedBox: BoxXyxy;
  /** `clampedBox` as x, y, width, height in pixels; x and y are its top-left corner. */
  readonly xywh: BoxXywh;
  /** `xywh` as fractions of the image's width and height, between 0 and 1. */
  readonly xywhn: BoxXywh;
  /** Area in pixels: that of the mask if there is one, else that of `clampedBox`. */
  readonly area: number;
  /** 1 − P(no object), between 0 and 1. */
  readonly score: number;
  /** Text of the best span; empty if the box refers to no word. */
  readonly label: string;
  /** Phrases of the caption that refer to the box, best first. */
  readonly spans: readonly TextSpan[];
  /** Index of the decoder query that predicted the box. */
  readonly query: number;
  /** Mask at the original image's size, as COCO run lengths; present if masks were requested. */
  readonly mask?: PackedCocoRle | undefined;
  /** Outlines of the mask as polygons x0, y0, x1, y1, … in pixels; present if polygons were requested. */
  readonly polygons?: readonly (readonly number[])[] | undefined;
  /** Embedding of the query in the last decoder layer; present if embeddings were requested and the model gives them. */
  readonly embedding?: readonly number[] | undefined;
}

/** The object that a referring expression means. */
export interface ReferredObject extends DetectedObject {
  /** The value that the object was chosen by: score × P(is final) for a model with that head, else the score. */
  readonly scoreRefexp: number;
}

/** A phrase of the caption, and the detections that it refers to. */
export interface CaptionPhrase extends Span {
  /** `caption.slice(start, end)`. */
  readonly text: string;
  /** Largest probability of the phrase over all queries, between 0 and 1. */
  readonly score: number;
  /** Whether the image shows it: `score` exceeds the model's calibrated value. Absent for models without calibration. */
  readonly present?: boolean | undefined;
  /** Indices into `detections`, best first; empty if the phrase refers to no detection above the threshold. */
  readonly detections: readonly number[];
}

/** Milliseconds spent on one result. Work shared by several captions or images counts fully in each of them. */
export interface Timing {
  /** Decoding and resizing. */
  readonly preprocess: number;
  /** The network. */
  readonly model: number;
  /** From the network's outputs to the result. */
  readonly postprocess: number;
}

/** Fields of every result. */
export interface ResultBase {
  /** Version of this form. */
  readonly version: typeof RESULTS_VERSION;
  /** Name of the model, as it was loaded. */
  readonly model: string;
  /** Name of the image: its path, or the name that the caller gave it, else `image`. */
  readonly image: string;
  /** Width of the original image in pixels, after its EXIF orientation was applied. */
  readonly width: number;
  /** Height of the original image in pixels, after its EXIF orientation was applied. */
  readonly height: number;
  /** The text as given. */
  readonly caption: string;
  /** Index of the text among those given for the same image in the same call; 0 for items of a stream. */
  readonly captionIndex: number;
  /** Score that `detections` exceed: as given, else the model's calibrated value, else 0.7. */
  readonly threshold?: number | undefined;
  /** Objects with a score above the threshold, best first. */
  readonly detections: readonly DetectedObject[];
  /**
   * Phrases of the caption, in its order: those of `detections`, those of queries at or below the threshold that overlap
   * none of the former, and the noun phrases that no query refers to.
   */
  readonly phrases: readonly CaptionPhrase[];
  /** The object with the highest score, if no score is above the threshold. */
  readonly bestBelowThreshold?: DetectedObject | undefined;
  /** Notes to the caller in full sentences: unknown words, a truncated caption, an unsuitable image. */
  readonly warnings: readonly string[];
  /** Time of each part in milliseconds. */
  readonly timing: Timing;
  /** Version of the package that wrote the result; in JSON only. */
  readonly packageVersion?: string | undefined;
}

/** Result of `detect`: what the caption mentions. */
export type DetectionResult = ResultBase;

/** Result of `refer`: the one object that an expression means. */
export interface ReferResult extends ResultBase {
  /** The expression as given; `caption` is the same text. */
  readonly expression: string;
  /** The object; null if a threshold was given and no score is above it. */
  readonly best: ReferredObject | null;
}

/** An answer and its probability. */
export interface RankedAnswer {
  /** The answer. */
  readonly answer: string;
  /** Its probability. */
  readonly probability: number;
}

/** Question types that models predict: those of GQA (`obj` to `cat`) and of CLEVR (`binary`, `attr`, `reg`). */
export type AnswerType = 'obj' | 'attr' | 'rel' | 'global' | 'cat' | 'binary' | 'reg';

/** Result of `ask`: an answer, and the objects that the question mentions. */
export interface AnswerResult extends ResultBase, RankedAnswer {
  /** The question as given; `caption` is the same text. */
  readonly question: string;
  /** Question type that the model predicts; null for a model without a type head. */
  readonly type: AnswerType | null;
  /** The five most probable answers of that type, best first. */
  readonly answers: readonly RankedAnswer[];
}
