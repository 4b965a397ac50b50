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
export {
  MdetrNetwork,
  selectImages,
  type CaptionedFeatures,
  type CaptionTokens,
  type ForwardOptions,
  type ForwardPass,
  type ImageFeatures,
  type Predictions,
} from './mdetr-network.ts';
export type { DecodedLayer, EncoderCache } from './transformer.ts';
export { initialValue } from './initial-weights.ts';
export type { AnswerHeadName, AnswerLogits } from './question-answering.ts';
/** @internal */
export type { MaskContext, Segmentation } from './segmentation.ts';
