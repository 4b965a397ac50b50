/** `mdetr/scenes`: procedural CLEVR-format scenes with boxes, masks, captions, expressions and questions. */
export * from '../scenes/index.ts';
export type { RawImage } from '../data/images/raw-image.ts';
export type { RunLengthMask } from '../geometry/run-lengths.ts';
export { MdetrError, UsageError } from '../errors.ts';
