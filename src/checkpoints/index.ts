export type { Checkpoint, CheckpointContents, CheckpointFormat, TensorEntry, TensorTotals } from './checkpoint.ts';
export { bytesPerElement, type CheckpointDtype, elementCount, toFloat32 } from './dtype.ts';
export { float32ToFloat16 } from './half.ts';
export { openCheckpoint, type OpenCheckpointOptions } from './open-checkpoint.ts';
export { readPickle } from './pickle.ts';
export { type JsonValue, jsonOf, Namespace, type PickleValue } from './pickle-values.ts';
export { type PthFile, readPth } from './pth.ts';
export { openSafetensors, type SafetensorsFile } from './safetensors.ts';
export { TorchDevice } from './torch-dialect.ts';
export { TorchTensor } from './torch-tensor.ts';
export {
  describeMatch,
  matchStateDict,
  type MatchOptions,
  type NamedShape,
  requireComplete,
  type ShapeMismatch,
  type StateDictMatch,
} from './state-dict.ts';
export { type TensorSource, tensorSource } from './tensor-source.ts';
export { type Picklable, PickleTuple } from './pickle-writer.ts';
export { PickledTensor, type PthContents, writePth } from './write-pth.ts';
export { writeSafetensors } from './write-safetensors.ts';
export { type FileSink, writeAtomically } from './atomic-file.ts';
