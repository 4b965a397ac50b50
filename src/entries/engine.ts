/** `mdetr/engine`: symbolic tensors, ops with their gradients, ONNX emission, and runtimes. */
export * from '../engine/graph/index.ts';
export * from '../engine/ops/index.ts';
export * from '../engine/onnx/index.ts';
export { createRuntime, type RuntimeOptions } from '../engine/runtime/create-runtime.ts';
export type {
  DeviceTensor,
  Feeds,
  LoadOptions,
  Runtime,
  Session,
  Values,
  WeightSource,
} from '../engine/runtime/runtime.ts';
export { ProgramCache } from '../engine/runtime/node/program-cache.ts';
export { MdetrError } from '../errors.ts';
