export { drawDetections, type DrawingContent, type DrawingFormat, type DrawingOptions } from './draw.ts';
export { type DrawableDetection } from './phrases.ts';
export { drawingFormatOf, writeDrawing } from './node/write-drawing.ts';
