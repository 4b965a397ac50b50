export {
  modelConfigKeys,
  modelConfigSchema,
  parseModelConfig,
  qaDataset,
  textEncoderConfig,
  type ModelConfig,
  type TextEncoderConfig,
} from './config.ts';
export { Mdetr, selectImages, type ImageFeatures, type Predictions } from './mdetr.ts';
export type { DecodedLayer, EncoderCache } from './transformer.ts';
export { initialValue } from './initial-weights.ts';
export type { MaskContext } from './segmentation.ts';
