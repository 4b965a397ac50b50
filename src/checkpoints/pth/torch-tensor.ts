import { quoted } from '../../errors.ts';
import { bytesPerElement, type CheckpointDtype, elementCount } from '../dtype.ts';
import type { ReadBudget } from '../../files/read-budget.ts';
import { InertObject, type PickleCall, type PickleValue } from '../pickle/pickle-values.ts';

/** Memory of one or more tensors. */
export interface TorchStorage {
  readonly key: string;
  /** Undefined for untyped storages (PyTorch 2). */
  readonly dtype: CheckpointDtype | undefined;
  readonly byteLength: number;
}

/** Description of a tensor in a file, checked against its storage. Offset and strides count elements. */
export class TorchTensor extends InertObject {
  readonly storage: TorchStorage;
  readonly dtype: CheckpointDtype;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(
    storage: TorchStorage,
    dtype: CheckpointDtype,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    super();
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  describe(): string {
    return `tensor of ${this.dtype} [${this.shape}]`;
  }
}

/** Value of a persistent id: the storage on which a tensor is then built. */
export class StorageHolder extends InertObject {
  readonly storage: TorchStorage;
  /** Budget for the bytes of all tensors of the file: many may share one storage, or repeat its elements. */
  readonly tensorBytes: ReadBudget;

  constructor(storage: TorchStorage, tensorBytes: ReadBudget) {
    super();
    this.storage = storage;
    this.tensorBytes = tensorBytes;
  }

  describe(): string {
    return `storage of ${this.storage.byteLength} bytes`;
  }
}

/** PyTorch's limit on the number of dimensions. */
const MAX_DIMENSIONS = 64;

/** Whether a value is an integer from 0 to 2⁵³ − 1. */
export const isCount = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** Copies a list of sizes. */
export const counts = (value: PickleValue | undefined, what: string, call: PickleCall): readonly number[] => {
  if (!Array.isArray(value) || value.length > MAX_DIMENSIONS || !value.every(isCount)) {
    throw call.error(`refused: a tensor whose ${what} is not a list of at most ${MAX_DIMENSIONS} sizes`);
  }
  return value.slice();
};

/**
 * Creates the tensor that the arguments of a rebuild function describe.
 * @throws {MdetrError} if it exceeds its storage or has an impossible shape
 */
export const checkedTensor = (
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  size: PickleValue | undefined,
  stride: PickleValue | undefined,
  given: CheckpointDtype | undefined,
  call: PickleCall,
): TorchTensor => {
  if (!(storage instanceof StorageHolder)) throw call.error('malformed pickle: a tensor without a storage');
  const { byteLength } = storage.storage;
  const dtype = given ?? storage.storage.dtype ?? 'u8';
  const shape = counts(size, 'shape', call);
  const strides = counts(stride, 'strides', call);
  if (!isCount(offset)) throw call.error('refused: a tensor whose storage offset is not a valid size');
  if (shape.length !== strides.length) {
    throw call.error(`refused: a tensor of shape [${shape}] with strides [${strides}]`);
  }
  const elements = elementCount(shape);
  const bytes = (elements ?? Infinity) * bytesPerElement(dtype);
  if (!Number.isSafeInteger(bytes)) throw call.error(`refused: a tensor of the impossible shape [${shape}]`);
  if (elements !== 0) {
    const last = shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis]!, offset);
    const end = (last + 1) * bytesPerElement(dtype);
    if (!Number.isSafeInteger(end) || end > byteLength) {
      throw call.error(
        `refused: a tensor (${dtype}, shape [${shape}], strides [${strides}], offset ${offset}) exceeds its ` +
          `storage ${quoted(storage.storage.key)} of ${byteLength} bytes`,
      );
    }
  }
  call.budget.charge(2 * shape.length);
  storage.tensorBytes.charge(bytes);
  return new TorchTensor(storage.storage, dtype, offset, shape, strides);
};
