/**
 * MDETR in the browser: the `MDETR` class of the main entry, on WebGPU or WebAssembly, with decoding and drawing by the
 * browser.
 */
export * from '../inference/index.ts';
export { decodeImage } from './decode-image.ts';
export { drawDetections, type CanvasContent, type CanvasOptions, type DrawingCanvas } from './draw-on-canvas.ts';
export { MDETR, type WebImageSource } from './mdetr.ts';
export type { FromPretrainedOptions, ProgressEvent, WebDevice } from './load-options.ts';
export type { DrawableImage } from './send-image.ts';
export { cachedWeights, removeCachedWeights, type CachedWeights } from './weight-cache.ts';
export { phraseColor, type DrawingColor } from '../drawing/palette.ts';
export { nameDetections, type DrawableDetection, type NamedDetection, type Phrase } from '../drawing/phrases.ts';
