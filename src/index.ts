/**
 * Text-modulated detection (MDETR, Kamath et al., 2021, arXiv:2104.12763): boxes, masks and answers for an image and free
 * text. This entry has inference and drawing; `mdetr/train`, `mdetr/metrics`, `mdetr/data`, `mdetr/scenes`, `mdetr/models`,
 * `mdetr/losses` and `mdetr/engine` have the rest. Importing it loads no native library: the first call does.
 */
export { MdetrError, UsageError } from './errors.ts';
export { EncodedImage } from './inference/encoded-image.ts';
export type { LoadedModel } from './inference/loaded-model.ts';
export type { Calibration, CalibrationData } from './model-folder/calibration.ts';
export { MDETR } from './inference/node/mdetr.ts';
export type { FromPretrainedOptions, ProgressEvent } from './inference/node/load-options.ts';
export type { BatchOptions, EncodeImageOptions, ImageText, InferenceOptions } from './inference/options.ts';
export type { TextOutputs } from './inference/text-outputs.ts';
export type { ModelConfig, SmallBackboneConfig, TextEncoderConfig } from './models/index.ts';
export type { AnswerVocabulary, GqaAnswerType } from './postprocess/answer-vocabulary.ts';
export type { AnswerOutputs } from './postprocess/answers.ts';
export type { DetectionOptions } from './postprocess/detections.ts';
export type { DetectionOutputs, ImageSize } from './postprocess/scored-boxes.ts';
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
} from './results/types.ts';
export type { Encoding, Span, TextSpan } from './text/index.ts';
export type { DecodeImageOptions, DecodeOptions, EncodableImage, ImageSource } from './data/images/image-source.ts';
export type { Orientation, PixelSize } from './data/images/orientation.ts';
export type { PixelInput, RawImage } from './data/images/raw-image.ts';
export type { ProgramSignature, ValueSignature } from './engine/graph/signature.ts';
export type { DType } from './engine/graph/dtype.ts';
export type { ExportOptions } from './export/node/export-model.ts';
export type {
  ExportedFiles,
  ExportedProgram,
  ExportLayout,
  ExportManifest,
  Precision,
} from './model-folder/export-manifest.ts';
export type { BoxXywh, BoxXyxy } from './geometry/boxes.ts';
export {
  maskToDense,
  unpackMask,
  type CocoRle,
  type PackedCocoRle,
  type RunLengthMask,
} from './geometry/run-lengths.ts';
export type { OwnFrame, TrackedFrame, TrackedObject, TrackOptions } from './video/node/track.ts';
export type { VideoOptions } from './video/node/video-frames.ts';
export { Tracker, type TrackableDetection, type TrackerOptions } from './video/tracker.ts';
export { maskToPolygons, type PolygonOptions } from './geometry/mask-polygons.ts';
export type {
  CropOptions,
  DrawableDetection,
  DrawingContent,
  DrawingFormat,
  DrawingOptions,
} from './drawing/node/index.ts';
export {
  crop,
  decodeImage,
  draw,
  drawDetections,
  exportModel,
  parseResult,
  save,
  track,
  writeDrawing,
} from './entries/on-demand.ts';
/** @internal Kept for programs that were written before `mdetr/train`, which has the declared `Training`. */
export { Training } from './entries/on-demand.ts';
