export type { EncodedInitializer } from './encoded-initializer.ts';
export { emitModel, type EmitOptions, type ModelDocumentation } from './emit.ts';
export { opsetVersion, type ExternalData, type OnnxInitializer } from './model-writer.ts';
export { onnxDataType } from './proto.ts';
