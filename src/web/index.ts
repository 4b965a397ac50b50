/**
 * MDETR in the browser: the `MDETR` class of the main entry, on WebGPU or WebAssembly, with decoding and drawing by the
 * browser.
 */
export { MdetrError, UsageError } from '../errors.ts';
export { decodeImage } from './decode-image.ts';
export { drawDetections, type CanvasContent, type CanvasOptions, type DrawingCanvas } from './draw-on-canvas.ts';
export { MDETR, type WebImageSource } from './mdetr.ts';
export type { FromPretrainedOptions, ProgressEvent, WebDevice } from './load-options.ts';
export type { DrawableImage } from './send-image.ts';
export { cachedWeights, removeCachedWeights, type CachedWeights } from './weight-cache.ts';
export { phraseColor, type DrawingColor } from '../drawing/palette.ts';
export { nameDetections, type DrawableDetection, type NamedDetection, type Phrase } from '../drawing/phrases.ts';
export { EncodedImage } from '../inference/encoded-image.ts';
export type { LoadedModel } from '../inference/loaded-model.ts';
export type { BatchOptions, EncodeImageOptions, ImageText, InferenceOptions } from '../inference/options.ts';
export type { TextOutputs } from '../inference/text-outputs.ts';
export type { ModelConfig, SmallBackboneConfig, TextEncoderConfig } from '../models/model-config.ts';
export type { AnswerVocabulary, GqaAnswerType } from '../postprocess/answer-vocabulary.ts';
export type { AnswerOutputs } from '../postprocess/answers.ts';
export type { DetectionOptions } from '../postprocess/detections.ts';
export type { DetectionOutputs, ImageSize } from '../postprocess/scored-boxes.ts';
export {
  RESULTS_VERSION,
  type AnswerResult,
  type AnswerType,
  type CaptionPhrase,
  type DetectedObject,
  type DetectionResult,
  type RankedAnswer,
  type ReferredObject,
  type ReferResult,
  type ResultBase,
  type Timing,
} from '../results/types.ts';
export type { Encoding, Span, TextSpan } from '../text/index.ts';
export type { DecodeOptions, EncodableImage, ImageSource } from '../data/images/image-source.ts';
export type { Orientation, PixelSize } from '../data/images/orientation.ts';
export type { PixelInput, RawImage } from '../data/images/raw-image.ts';
export type { BoxXywh, BoxXyxy } from '../geometry/boxes.ts';
export {
  maskToDense,
  unpackMask,
  type CocoRle,
  type PackedCocoRle,
  type RunLengthMask,
} from '../geometry/run-lengths.ts';
export type { Calibration, CalibrationData } from '../model-folder/calibration.ts';
export type { Precision } from '../model-folder/export-manifest.ts';
