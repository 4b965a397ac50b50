/** @internal */
export { modelConfigSchema } from './config.ts';
export {
  modelConfigKeys,
  parseModelConfig,
  qaDataset,
  textEncoderConfig,
  type ModelConfig,
  type SmallBackboneConfig,
  type TextEncoderConfig,
} from './config.ts';
export { MdetrNetwork } from './mdetr-network.ts';
export { selectImages, type CaptionedFeatures, type ImageFeatures } from './image-features.ts';
export type { CaptionTokens, ForwardOptions, ForwardPass, Predictions } from './forward-pass.ts';
export type { AnswerLayer } from './queries/decoder-queries.ts';
export type { EncoderCache } from './transformer.ts';
export { initialValue } from './initial-weights.ts';
export type { AnswerHeadName, AnswerLogits } from './question-answering.ts';
/** @internal */
export { hasEncoderHead } from './config.ts';
/** @internal */
export type { MaskContext, Segmentation } from './segmentation.ts';
/** @internal */
export { boxesAround, cellBoxLayer, CELLS_PER_POSITION, EncoderHead, splitCells } from './queries/encoder-head.ts';
export type { CellPredictions } from './queries/encoder-head.ts';
export type { ImageEvidence } from './priming/evidence.ts';
/** @internal */
export { evidenceShapes, PRECOMPUTED, precomputedShapes, type PrecomputedName } from './priming/feature-shapes.ts';
