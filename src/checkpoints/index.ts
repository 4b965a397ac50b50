export type { Checkpoint, CheckpointContents, CheckpointFormat, TensorTotals } from './checkpoint.ts';
export type { TensorEntry } from './tensor-entry.ts';
export { bytesPerElement, type CheckpointDtype, elementCount, toFloat32 } from './dtype.ts';
export { float32ToFloat16 } from './half.ts';
export { openCheckpoint, type OpenCheckpointOptions } from './open-checkpoint.ts';
export { readPickle } from './pickle/pickle.ts';
export { type JsonValue, jsonOf, Namespace, type PickleValue } from './pickle/pickle-values.ts';
export { type PthFile, readPth } from './pth/pth.ts';
export { type SafetensorsFile } from './safetensors/safetensors.ts';
export { openSafetensors } from './safetensors/open-safetensors.ts';
export { TorchDevice } from './pth/torch-dialect.ts';
export { TorchTensor } from './pth/torch-tensor.ts';
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
export { type Picklable, PickleTuple } from './pickle/pickle-writer.ts';
export { PickledTensor, type PthContents, writePth } from './pth/write-pth.ts';
export { writeSafetensors } from './safetensors/write-safetensors.ts';
export { type FileSink, writeAtomically } from '../files/atomic-file.ts';
