/** mdetr: boxes, masks and answers for an image and free text. */
export { MdetrError, UsageError } from './errors.ts';
export {
  EncodedImage,
  MDETR,
  type BatchOptions,
  type FromPretrainedOptions,
  type ImageText,
  type ProgressEvent,
  type RunOptions,
} from './inference/node/mdetr.ts';
export type { AnswerResult, DetectedObject, DetectionResult, ReferResult, Timing } from './inference/results.ts';
export type { DecodeOptions, ImageSource } from './data/images/image-source.ts';
export type { PixelInput, RawImage } from './data/images/raw-image.ts';
export { decodeImage } from './data/images/node/decode-image.ts';
export { unpackMask, maskToDense, type CocoRle, type RunLengthMask } from './geometry/run-lengths.ts';
export type { TextSpan } from './text/index.ts';
export type { ModelConfig } from './models/index.ts';

// Training: a loop of one's own, or the whole run that `mdetr train` is.
export { Training, type OpenTrainingOptions } from './train/run/training.ts';
export type { TrainingSample } from './train/data/own-samples.ts';
export { Trainer, type StepReport, type TrainerOptions, type TrainerState } from './train/step/trainer.ts';
export type { StepTiming } from './train/step/train-step.ts';
export type { TrainBatch } from './train/data/train-batch.ts';
export { runTraining, type TrainingRunOptions } from './train/run/run-training.ts';
export type { RunObserver, RunSummary, Validate, Validation } from './train/run/run-observer.ts';
export { parseTrainConfig, type TrainConfig } from './train/config/config.ts';
export { readConfigFile, withLoadedModel, type ConfigFile, type ConfigValues } from './train/config/config-file.ts';
export { readRunCurves, type Curve, type RunCurves } from './train/run/run-curves.ts';
export type { Communicator } from './train/parallel/communicator.ts';
export { createRuntime } from './engine/runtime/create-runtime.ts';
export { drawDetections, writeDrawing, type DrawingContent } from './drawing/index.ts';
