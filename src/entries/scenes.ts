/** `mdetr/scenes`: procedural CLEVR-format scenes with boxes, masks, captions, expressions and questions. */
export * from '../scenes/index.ts';
