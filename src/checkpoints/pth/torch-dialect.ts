import { MdetrError } from '../../errors.ts';
import { ReadBudget } from '../../files/read-budget.ts';
import { bytesPerElement, type CheckpointDtype } from '../dtype.ts';
import { PLAIN_GLOBALS } from '../pickle/pickle.ts';
import type { PickleDialect, PickleLimits } from '../pickle/pickle-dialect.ts';
import {
  InertObject,
  Namespace,
  type PickleCall,
  type PickleConstructor,
  PickleGlobal,
  type PickleValue,
  UnknownObject,
} from '../pickle/pickle-values.ts';
import { FOREIGN_GLOBALS, setForeignState, unknownGlobal } from './foreign-values.ts';
import { checkedTensor, counts, isCount, StorageHolder, TorchTensor, type TorchStorage } from './torch-tensor.ts';

/** `torch.device`, as inert data. */
export class TorchDevice extends InertObject {
  readonly device: string;

  constructor(device: string) {
    super();
    this.device = device;
  }

  describe(): string {
    return this.device;
  }
}

class TorchDtype extends PickleGlobal {
  readonly dtype: CheckpointDtype;

  constructor(pythonName: string, dtype: CheckpointDtype) {
    super(pythonName);
    this.dtype = dtype;
  }
}

class StorageType extends PickleGlobal {
  readonly dtype: CheckpointDtype | undefined;

  constructor(pythonName: string, dtype: CheckpointDtype | undefined) {
    super(pythonName);
    this.dtype = dtype;
  }
}

/** Maximum number of tensors, more than any supported model has, including optimizer state. */
const MAX_TENSORS = 200_000;

/** Parsed persistent id of torch.save: `('storage', type, key, location, elements[, view])`. */
export interface StorageReference {
  readonly key: string;
  readonly dtype: CheckpointDtype | undefined;
  /** Number of elements of `dtype`, or of bytes if the storage is untyped. */
  readonly elements: number;
  /** In the old format: the part of storage `key` that this storage is. */
  readonly view?: { readonly key: string; readonly offset: number; readonly elements: number };
}

/** Limits for checkpoints. Official ones hold about 3,000 tensors in a pickle of 1 MB: about 200,000 values. */
export const CHECKPOINT_PICKLE_LIMITS: PickleLimits = {
  maxObjects: 4_000_000,
  maxDepth: 100,
  maxStringBytes: 2 ** 24,
};
/** Maximum size of the pickle of a checkpoint. */
export const MAX_CHECKPOINT_PICKLE_BYTES = 2 ** 28;

/** Size in bytes of a number of elements; an untyped storage counts bytes. */
export const storageBytes = (elements: number, dtype: CheckpointDtype | undefined): number =>
  elements * (dtype === undefined ? 1 : bytesPerElement(dtype));

/** Views that PyTorch negates or conjugates on use, so that their stored values differ from the tensor's. */
const refuseLazyViews = (metadata: PickleValue | undefined, call: PickleCall): void => {
  if (metadata instanceof Map && [...metadata.values()].includes(true)) {
    throw call.error(
      'refused: a lazily negated or conjugated tensor; save it again after .resolve_neg().resolve_conj()',
    );
  }
};

const rebuildTensor: PickleConstructor = ([storage, offset, size, stride, _grad, _hooks, metadata], call) => {
  if (storage instanceof UnknownObject) return storage;
  refuseLazyViews(metadata, call);
  return checkedTensor(storage, offset, size, stride, undefined, call);
};

const rebuildTensorV3: PickleConstructor = (args, call) => {
  const [storage, offset, size, stride, _grad, _hooks, dtype, metadata] = args;
  if (storage instanceof UnknownObject) return storage;
  refuseLazyViews(metadata, call);
  if (dtype instanceof UnknownObject) return dtype;
  if (!(dtype instanceof TorchDtype)) throw call.error('refused: a tensor without a known dtype');
  return checkedTensor(storage, offset, size, stride, dtype.dtype, call);
};

const rebuildParameter: PickleConstructor = ([tensor], call) => {
  if (tensor instanceof UnknownObject) return tensor;
  if (!(tensor instanceof TorchTensor)) throw call.error('malformed pickle: a parameter that is not a tensor');
  return tensor;
};

/** Tensors with Python attributes: `(function, type, arguments, state)`. The attributes are ignored. */
const rebuildFromType: PickleConstructor = ([rebuild, type, args], call) => {
  if (type instanceof UnknownObject) return type;
  const plain = type instanceof PickleGlobal && PLAIN_TENSOR_TYPES.has(type.pythonName);
  // Wrapped at most once: nested wrappers would recurse as deep as the file says.
  const make = rebuild instanceof PickleGlobal ? rebuild.construct : undefined;
  if (!plain || make === undefined || make === rebuildFromType || !Array.isArray(args)) {
    throw call.error('refused: a tensor of a custom class');
  }
  return make(args, call);
};

const PLAIN_TENSOR_TYPES = new Set(['torch.Tensor', 'torch._tensor.Tensor', 'torch.nn.parameter.Parameter']);

const torchSize: PickleConstructor = ([sizes], call) => {
  const size = counts(sizes, 'size', call);
  call.budget.charge(size.length);
  return [...size];
};

const torchDevice: PickleConstructor = ([type, index], call) => {
  if (typeof type !== 'string') throw call.error('malformed pickle: a device without a type');
  call.budget.chargeBytes(type.length);
  return new TorchDevice(typeof index === 'number' ? `${type}:${index}` : type);
};

const namespace: PickleConstructor = (args, call) => {
  if (args.length > 0) throw call.error('malformed pickle: a Namespace with positional arguments');
  return new Namespace();
};

/** Paths in `args`, such as output folders, may be `pathlib` objects. They are read as strings. */
const path: PickleConstructor = (parts, call) => {
  if (!parts.every((part) => typeof part === 'string'))
    throw call.error('malformed pickle: a path that is not a string');
  for (const part of parts) call.budget.chargeBytes(part.length + 1);
  return parts.join('/').replace(/^\/\//, '/');
};

const STORAGE_DTYPES: Readonly<Record<string, CheckpointDtype>> = {
  DoubleStorage: 'f64',
  FloatStorage: 'f32',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  LongStorage: 'i64',
  IntStorage: 'i32',
  ShortStorage: 'i16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  BoolStorage: 'bool',
};

const TORCH_DTYPES: Readonly<Record<string, CheckpointDtype>> = {
  float64: 'f64',
  double: 'f64',
  float32: 'f32',
  float: 'f32',
  float16: 'f16',
  half: 'f16',
  bfloat16: 'bf16',
  int64: 'i64',
  long: 'i64',
  int32: 'i32',
  int: 'i32',
  int16: 'i16',
  short: 'i16',
  int8: 'i8',
  uint64: 'u64',
  uint32: 'u32',
  uint16: 'u16',
  uint8: 'u8',
  bool: 'bool',
};

/** PyTorch's name for storages of a dtype; undefined if it has none. */
export const storageTypeOf = (dtype: CheckpointDtype): string | undefined =>
  Object.keys(STORAGE_DTYPES).find((name) => STORAGE_DTYPES[name] === dtype);

const constructors: Readonly<Record<string, PickleConstructor | undefined>> = {
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_tensor_v3': rebuildTensorV3,
  'torch._utils._rebuild_parameter': rebuildParameter,
  'torch._utils._rebuild_parameter_with_state': rebuildParameter,
  'torch._tensor._rebuild_from_type_v2': rebuildFromType,
  'torch.Size': torchSize,
  'torch.device': torchDevice,
  'torch.Tensor': undefined,
  'torch._tensor.Tensor': undefined,
  'torch.nn.parameter.Parameter': undefined,
  'argparse.Namespace': namespace,
  'pathlib.PosixPath': path,
  'pathlib.WindowsPath': path,
  'pathlib._local.PosixPath': path,
  'pathlib._local.WindowsPath': path,
};

const TORCH_GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map([
  ...PLAIN_GLOBALS,
  ...FOREIGN_GLOBALS,
  ...Object.entries(constructors).map(([name, make]) => [name, new PickleGlobal(name, make)] as const),
  ...Object.entries(STORAGE_DTYPES).map(
    ([name, dtype]) => [`torch.${name}`, new StorageType(`torch.${name}`, dtype)] as const,
  ),
  ...['torch.UntypedStorage', 'torch.storage.UntypedStorage'].map(
    (name) => [name, new StorageType(name, undefined)] as const,
  ),
  ...Object.entries(TORCH_DTYPES).map(
    ([name, dtype]) => [`torch.${name}`, new TorchDtype(`torch.${name}`, dtype)] as const,
  ),
]);

const referenceOf = (id: PickleValue, name: string): StorageReference => {
  const fail = (): never => {
    throw new MdetrError(`${name}: refused, its pickle refers to something that is not a storage`);
  };
  if (!Array.isArray(id)) return fail();
  const [kind, type, key, _location, elements, view] = id;
  if (kind !== 'storage' || !(type instanceof StorageType) || typeof key !== 'string' || !isCount(elements)) {
    return fail();
  }
  const reference = { key, dtype: type.dtype, elements };
  if (view === undefined || view === null) return reference;
  if (!Array.isArray(view)) return fail();
  const [viewKey, offset, length] = view;
  if (typeof viewKey !== 'string' || !isCount(offset) || !isCount(length)) return fail();
  return { ...reference, view: { key: viewKey, offset, elements: length } };
};

export interface TorchDialectOptions {
  /** Name of the file, for messages. */
  readonly name: string;
  readonly fileBytes: number;
  /** Finds and checks the storage of a reference; called once per reference. */
  readonly load: (reference: StorageReference) => TorchStorage;
  /** Whether storages of types that are not known may be left out, because the positions of the others do not depend on them. */
  readonly skipsUnknownStorages: boolean;
}

/** Pickle dialect of torch.save. */
export const torchDialect = ({ name, fileBytes, load, skipsUnknownStorages }: TorchDialectOptions): PickleDialect => {
  let mentions = 0;
  const tensorBytes = new ReadBudget({ name, fileBytes, what: 'its tensors' });
  return {
    globals: TORCH_GLOBALS,
    unknownGlobal,
    setState: setForeignState,
    persistentLoad(id) {
      if (++mentions > MAX_TENSORS) throw new MdetrError(`${name}: refused, more than ${MAX_TENSORS} tensors`);
      if (skipsUnknownStorages && Array.isArray(id) && id[1] instanceof UnknownObject) return id[1];
      return new StorageHolder(load(referenceOf(id, name)), tensorBytes);
    },
  };
};
