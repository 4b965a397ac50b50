/** `mdetr/models`: the network over symbolic tensors, its configuration, and model files. */
export * from '../models/index.ts';
export { convertModel, type Conversion, type ConvertOptions } from '../model-folder/node/convert.ts';
export type { ModelFilesOptions } from '../model-folder/node/model-files.ts';
export { describeModel, type InfoPart, type InfoTensor, type ModelInfo } from '../model-folder/node/model-info.ts';
export type { ModelSource } from '../model-folder/model-source.ts';
export { openModelSource, type ModelSourceOptions } from '../model-folder/node/model-source.ts';
export type { Preprocessing } from '../model-folder/preprocessing.ts';
export { traceInference, type InferencePrograms } from '../inference/programs.ts';
export { MdetrError } from '../errors.ts';
