export type { EncodedInitializer } from './encoded-initializer.ts';
export type { EmitOptions, ModelDocumentation } from './emit-options.ts';
export { emitModel } from './emit.ts';
export { OPSET_VERSION, type ExternalData, type OnnxInitializer } from './model-writer.ts';
export { ONNX_DATA_TYPES } from './proto.ts';
