/** `mdetr/engine`: symbolic tensors, ops with their gradients, ONNX emission, and runtimes. */
export * from '../engine/graph/index.ts';
export * from '../engine/ops/index.ts';
export * from '../engine/onnx/index.ts';
export { createRuntime, type RuntimeOptions } from '../engine/runtime/create-runtime.ts';
export type { FallbackNodes, Placement, PlacementOptions } from '../engine/runtime/placement.ts';
export type { NodeRuntimeOptions } from '../engine/runtime/node/node-runtime.ts';
export type {
  CompiledProgram,
  DeviceTensor,
  Feeds,
  FeedsOf,
  LoadOptions,
  ResultsOf,
  Runtime,
  Session,
  SessionOf,
  Values,
  EncodedWeight,
  WeightSource,
  WeightStorage,
} from '../engine/runtime/runtime.ts';
export { ProgramCache, type CacheEntry } from '../engine/runtime/node/program-cache.ts';
export { MdetrError } from '../errors.ts';
