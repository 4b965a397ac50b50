import { MdetrError, quoted } from '../../errors.ts';
import type { TensorEntry } from '../tensor-entry.ts';
import { bytesPerElement, elementCount, toFloat32 } from '../dtype.ts';
import { openFileSource } from '../file-source.ts';
import { type ByteSource, type FileSource, readBytes } from '../byte-source.ts';
import { unpickle } from '../pickle/pickle-machine.ts';
import type { PickleValue } from '../pickle/pickle-values.ts';
import { isLegacyPth, readLegacyPth } from './pth-legacy.ts';
import { readView } from '../tensor-view.ts';
import {
  CHECKPOINT_PICKLE_LIMITS,
  MAX_CHECKPOINT_PICKLE_BYTES,
  storageBytes,
  type StorageReference,
  torchDialect,
} from './torch-dialect.ts';
import { type TorchStorage, type TorchTensor } from './torch-tensor.ts';
import type { ZipRecord } from './zip-records.ts';

export type PthFormat = 'pth-zip' | 'pth-legacy';

/** An open file of torch.save. Its object tree is in memory, tensors are read on demand. */
export interface PthFile {
  readonly path: string;
  readonly format: PthFormat;
  /** The saved object: dictionaries are `Map`s, tensors are `TorchTensor`s without contents, `args` is a `Namespace`. */
  readonly tree: PickleValue;
  /** Gives access to the contents of a tensor of the tree. */
  entry(name: string, tensor: TorchTensor): TensorEntry;
  close(): Promise<void>;
}

/** A storage and its zip entry. */
interface ZipStorage extends TorchStorage {
  readonly record: ZipRecord;
}

/**
 * Opens a `.pth` (or `.pt`, `.bin`) file in either format of torch.save. No code in it is executed; tensors are checked
 * against their storages and read on demand.
 * @throws {MdetrError} if the file is missing, truncated or malformed, or holds anything but plain data and tensors
 */
export const readPth = async (path: string): Promise<PthFile> => pthOf(await openFileSource(path));

/** Reads a file that is already open as `readPth` does. Closes it if it is rejected. */
export const pthOf = async (file: FileSource): Promise<PthFile> => {
  try {
    const { format, tree, positionOf } = await readTree(file);
    return {
      path: file.name,
      format,
      tree,
      entry: (name, tensor) => tensorEntry(file, name, tensor, () => positionOf(tensor.storage)),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
};

interface PthContents {
  readonly format: PthFormat;
  readonly tree: PickleValue;
  /** Position in the file of the first byte of a storage. */
  positionOf(storage: TorchStorage): number | Promise<number>;
}

const ZIP_MAGIC = 0x504b0304;

const readTree = async (file: ByteSource): Promise<PthContents> => {
  const head = Buffer.from(await readBytes(file, 0, Math.min(file.size, 512)));
  if (head.byteLength >= 4 && head.readUInt32BE(0) === ZIP_MAGIC) return readZipPth(file);
  if (isLegacyPth(head)) return readLegacyPth(file);
  throw new MdetrError(`${file.name}: ${otherFormat(head)}`);
};

/** Identifies files that are commonly passed instead of a checkpoint. */
const otherFormat = (head: Buffer): string => {
  const text = head.toString('latin1');
  if (head.byteLength === 0) return 'the file is empty';
  if (text.startsWith('version https://git-lfs')) return 'a Git LFS pointer, not the file itself: run "git lfs pull"';
  if (/^\s*<(!doctype|html)/i.test(text)) return 'a web page, not a checkpoint: the download failed';
  if (text.slice(257, 262) === 'ustar') {
    return 'a tar file, as written by PyTorch before 0.1.10: save it again with a newer PyTorch';
  }
  if (head[0] === 0x80) return 'a pickle, but not from torch.save';
  return 'neither a PyTorch file (zip or legacy) nor safetensors';
};

const readZipPth = async (file: ByteSource): Promise<PthContents> => {
  const { readZipRecords } = await import('./zip-records.ts');
  const records = await readZipRecords(file);
  const pickles = [...records.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    throw new MdetrError(
      `${file.name}: a zip file, but not from torch.save: it has ${pickles.length} data.pkl entries`,
    );
  }
  const root = pickle.name.slice(0, -'data.pkl'.length);
  if (records.has(`${root}constants.pkl`)) {
    throw new MdetrError(
      `${file.name}: a TorchScript program; a checkpoint saved by torch.save (weights only) is needed`,
    );
  }
  const order = records.get(`${root}byteorder`);
  if (order !== undefined && order.byteLength <= 16) {
    const text = Buffer.from(await readBytes(file, await order.locate(), order.byteLength)).toString('latin1');
    if (text !== 'little') throw new MdetrError(`${file.name}: refused, byte order ${quoted(text)}`);
  }
  if (pickle.byteLength > MAX_CHECKPOINT_PICKLE_BYTES) {
    throw new MdetrError(`${file.name}: refused, its data.pkl is ${pickle.byteLength} bytes long`);
  }

  const storages = new Map<string, ZipStorage>();
  const load = ({ key, dtype, elements, view }: StorageReference): ZipStorage => {
    if (view !== undefined) throw new MdetrError(`${file.name}: refused, a storage view in a zip file`);
    const known = storages.get(`${key} ${String(dtype)}`);
    const record = records.get(`${root}data/${key}`);
    if (record === undefined) {
      throw new MdetrError(`${file.name}: the contents of storage ${quoted(key)} are missing`);
    }
    const byteLength = storageBytes(elements, dtype);
    if (byteLength !== record.byteLength) {
      throw new MdetrError(
        `${file.name}: refused, storage ${quoted(key)} should have ${byteLength} bytes and has ${record.byteLength}`,
      );
    }
    const storage = known ?? { key, dtype, byteLength, record };
    storages.set(`${key} ${String(dtype)}`, storage);
    return storage;
  };
  const dialect = torchDialect({ name: file.name, fileBytes: file.size, load, skipsUnknownStorages: true });
  const bytes = await readBytes(file, await pickle.locate(), pickle.byteLength);
  const { value } = unpickle(bytes, { ...dialect, name: file.name, limits: CHECKPOINT_PICKLE_LIMITS });
  return { format: 'pth-zip', tree: value, positionOf: (storage) => (storage as ZipStorage).record.locate() };
};

const tensorEntry = (
  file: ByteSource,
  name: string,
  tensor: TorchTensor,
  storagePosition: () => number | Promise<number>,
): TensorEntry => {
  const { dtype, shape, strides } = tensor;
  const elementBytes = bytesPerElement(dtype);
  const read = async (): Promise<Uint8Array> => {
    const position = (await storagePosition()) + tensor.offset * elementBytes;
    return readView(file, { position, elementBytes, shape, strides });
  };
  return {
    name,
    dtype,
    shape,
    byteLength: elementCount(shape)! * elementBytes,
    read,
    readFloat32: async () => toFloat32(await read(), dtype),
  };
};
