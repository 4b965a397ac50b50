export type { DrawingContent, DrawingFormat, DrawingOptions } from '../draw.ts';
export type { DrawableDetection } from '../phrases.ts';
export { crop, draw, save, type CropOptions } from './result-files.ts';
export { drawDetections } from './draw-detections.ts';
export { drawingFormatOf } from './drawing-format.ts';
export { writeDrawing } from './write-drawing.ts';
