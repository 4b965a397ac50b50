/** Names that `mdetr` and `mdetr/web` both export: a loaded model, its options, its results and what these consist of. */
export { MdetrError, UsageError } from '../errors.ts';
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
export type { ModelConfig, SmallBackboneConfig, TextEncoderConfig } from '../models/index.ts';
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
export { EncodedImage } from './encoded-image.ts';
export type { LoadedModel } from './loaded-model.ts';
export type { BatchOptions, EncodeImageOptions, ImageText, InferenceOptions } from './options.ts';
export type { TextOutputs } from './text-outputs.ts';
