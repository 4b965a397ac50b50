/** `mdetr/models`: the network over symbolic tensors, its configuration, and model files. */
export * from '../models/index.ts';
export { convertModel, type Conversion, type ConvertOptions } from '../model-folder/node/convert.ts';
export type { ModelFilesOptions } from '../model-folder/node/model-files.ts';
export { describeModel, type InfoPart, type InfoTensor, type ModelInfo } from '../model-folder/node/model-info.ts';
export type { CheckpointContents } from '../checkpoints/checkpoint.ts';
export type { CheckpointDtype } from '../checkpoints/dtype.ts';
export type { HostTensor, InputTensors, Program, Tensor, TensorType } from '../engine/graph/index.ts';
export type { WeightSource } from '../engine/runtime/runtime.ts';
export { ParameterRegistry, Scope, type ParameterSpec } from '../nn/scope.ts';
export type { AnswerVocabulary } from '../postprocess/answer-vocabulary.ts';
export type { Tokenizer } from '../text/index.ts';
export type { ModelSource } from '../model-folder/model-source.ts';
export { openModelSource, type ModelSourceOptions } from '../model-folder/node/model-source.ts';
export type { Preprocessing } from '../model-folder/preprocessing.ts';
export { traceInference, type InferencePrograms } from '../inference/programs.ts';
export { MdetrError } from '../errors.ts';
