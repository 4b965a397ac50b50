/**
 * Text-modulated detection (MDETR, Kamath et al., 2021, arXiv:2104.12763): boxes, masks and answers for an image and free
 * text. This entry has inference and drawing; `mdetr/train`, `mdetr/metrics`, `mdetr/data`, `mdetr/scenes`, `mdetr/models`,
 * `mdetr/losses` and `mdetr/engine` have the rest. Importing it loads no native library: the first call does.
 */
export * from './inference/index.ts';
export { MDETR } from './inference/node/mdetr.ts';
export type { FallbackNodes, Placement } from './engine/runtime/placement.ts';
export type { FromPretrainedOptions, ProgressEvent } from './inference/node/load-options.ts';
export type { DecodeImageOptions } from './data/images/image-source.ts';
export type { ProgramSignature, ValueSignature } from './engine/graph/signature.ts';
export type { DType } from './engine/graph/dtype.ts';
export type { ExportOptions } from './export/node/export-model.ts';
export type { ExportedFiles, ExportedProgram, ExportLayout, ExportManifest } from './model-folder/export-manifest.ts';
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
