import { decodeOptionRules } from '../data/images/decode-options.ts';
import type { DecodeOptions, ImageSource } from '../data/images/image-source.ts';
import type { DetectionOptions } from '../postprocess/detections.ts';
import {
  booleanRule,
  integerFrom,
  numberBetween,
  oneOf,
  optionsRule,
  signalRule,
  type OptionRules,
} from '../options/check-options.ts';

/** Options of every call that runs the network on captions. */
export interface InferenceOptions extends DetectionOptions {
  /** Also predict masks; needs a model with the segmentation head. Default false. */
  readonly masks?: boolean | undefined;
  /** Also give the outlines of the masks as polygons; implies `masks`. Default false. */
  readonly polygons?: boolean | undefined;
  /** Also give the embedding of each detection's query. Models without segmentation head have none. Default false. */
  readonly embeddings?: boolean | undefined;
  /** A caption that exceeds the text encoder's limit is an error (default); `'end'` truncates it with a warning. */
  readonly truncation?: 'error' | 'end' | undefined;
  /** Maximum number of images, and of captions, in one program run. Only images of one prepared size run together. Default 4. */
  readonly batchSize?: number | undefined;
  /**
   * Cancels the call: it rejects with `signal.reason` after at most the current program run, and the model stays usable.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Options of calls that take images too. */
export interface BatchOptions extends InferenceOptions {
  /** Options of decoding image files. */
  readonly decode?: DecodeOptions | undefined;
  /**
   * Pad images of different sizes to one batch, as the official evaluation does; their results then depend on each other.
   * By default an image has the same results alone and in any batch. Default false.
   */
  readonly officialBatching?: boolean | undefined;
}

/** Options of `encodeImage`. */
export interface EncodeImageOptions extends DecodeOptions {
  /** Cancels the call, as for `InferenceOptions`. */
  readonly signal?: AbortSignal | undefined;
}

/** An image with a caption, expression or question. */
export interface ImageText<Image = ImageSource> {
  /** The image. */
  readonly image: Image;
  /** Caption, expression or question. */
  readonly text: string;
  /** Name of the image in errors and results; a path's own name by default. */
  readonly name?: string | undefined;
}

/** Default of `InferenceOptions.batchSize`. */
export const DEFAULT_BATCH_SIZE = 4;

/** Rules of `EncodeImageOptions`. */
export const encodeImageOptionRules: OptionRules<EncodeImageOptions> = { ...decodeOptionRules, signal: signalRule };

/** Rules of `InferenceOptions`. */
export const inferenceOptionRules: OptionRules<InferenceOptions> = {
  threshold: numberBetween(0, 1),
  spanThreshold: numberBetween(0, 1),
  tokenFraction: numberBetween(0, 1),
  nms: numberBetween(0, 1),
  presence: numberBetween(0, 1),
  masks: booleanRule,
  polygons: booleanRule,
  embeddings: booleanRule,
  truncation: oneOf('error', 'end'),
  batchSize: integerFrom(1),
  signal: signalRule,
};

/** Rules of `BatchOptions`. */
export const batchOptionRules: OptionRules<BatchOptions> = {
  ...inferenceOptionRules,
  decode: optionsRule<DecodeOptions>('decode', decodeOptionRules),
  officialBatching: booleanRule,
};
