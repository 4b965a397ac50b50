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
} from './pipeline/mdetr.ts';
export type { AnswerResult, DetectedObject, DetectionResult, ReferResult, Timing } from './pipeline/results.ts';
export type { DecodeOptions, ImageSource } from './data/image.ts';
export type { PixelInput, RawImage } from './data/raw-image.ts';
export { decodeImage } from './data/image.ts';
export { unpackMask, maskToDense, type CocoRle, type RunLengthMask } from './data/rle.ts';
export type { TextSpan } from './text/index.ts';
export type { ModelConfig } from './models/index.ts';
export { drawDetections, writeDrawing, type DrawingContent } from './drawing/index.ts';
