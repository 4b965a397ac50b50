import { MdetrError, quoted } from '../../errors.ts';
import type { CheckpointDtype } from '../dtype.ts';
import { type ByteSource, readBytes } from '../byte-source.ts';
import { PickleEndsEarly } from '../pickle/pickle-input.ts';
import { unpickle } from '../pickle/pickle-machine.ts';
import type { PickleValue } from '../pickle/pickle-values.ts';
import {
  CHECKPOINT_PICKLE_LIMITS,
  MAX_CHECKPOINT_PICKLE_BYTES,
  storageBytes,
  type StorageReference,
  torchDialect,
} from './torch-dialect.ts';
import { type TorchStorage } from './torch-tensor.ts';

/** Magic number in the first pickle of a legacy file. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
const FIRST_READ_BYTES = 2 ** 20;
/** Size of the element count that precedes the contents of each storage. */
const COUNT_BYTES = 8;

const LITTLE_ENDIAN_MAGIC = Buffer.from('6cfc9c46f9206aa85019', 'hex');

/** Whether a file that starts with `head` is in the format of torch.save before PyTorch 1.6. */
export const isLegacyPth = (head: Buffer): boolean =>
  head[0] === 0x80 && head.subarray(2, 32).includes(LITTLE_ENDIAN_MAGIC);

/** A storage in the file. */
interface Root {
  readonly dtype: CheckpointDtype | undefined;
  readonly elements: number;
  readonly byteLength: number;
}

/** A root storage or, in old files, a part of one. */
interface LegacyStorage extends TorchStorage {
  readonly rootKey: string;
  readonly offsetBytes: number;
}

interface LegacyHead {
  readonly tree: PickleValue;
  readonly keys: readonly string[];
  readonly roots: ReadonlyMap<string, Root>;
  /** Position of the first storage. */
  readonly end: number;
}

/** Reads a legacy file: five pickles (magic, version, system, tree, storage keys), followed by the storages. */
export const readLegacyPth = async (
  file: ByteSource,
): Promise<{
  readonly format: 'pth-legacy';
  readonly tree: PickleValue;
  positionOf(storage: TorchStorage): Promise<number>;
}> => {
  const { tree, keys, roots, end } = await readHead(file);
  const positions = new Map<string, number>();
  let position = end;
  for (const key of keys) {
    const root = roots.get(key);
    if (root === undefined || positions.has(key)) {
      throw new MdetrError(`${file.name}: refused, storage ${quoted(key)} belongs to no tensor`);
    }
    positions.set(key, position);
    position += COUNT_BYTES + root.byteLength;
    if (position > file.size) {
      throw new MdetrError(
        `${file.name}: truncated, the file ends at byte ${file.size}, storage ${quoted(key)} at ${position}`,
      );
    }
  }
  for (const key of roots.keys()) {
    if (!positions.has(key)) throw new MdetrError(`${file.name}: the contents of storage ${quoted(key)} are missing`);
  }
  return {
    format: 'pth-legacy',
    tree,
    async positionOf(storage) {
      const { rootKey, offsetBytes } = storage as LegacyStorage;
      const start = positions.get(rootKey)!;
      const { elements } = roots.get(rootKey)!;
      const count = Buffer.from(await readBytes(file, start, COUNT_BYTES)).readBigInt64LE();
      if (count !== BigInt(elements)) {
        throw new MdetrError(
          `${file.name}: refused, storage ${quoted(rootKey)} should have ${elements} elements and declares ${count.toString()}`,
        );
      }
      return start + COUNT_BYTES + offsetBytes;
    },
  };
};

/** Reads the pickles. Their length is not stored, so more of the file is read until they are complete. */
const readHead = async (file: ByteSource): Promise<LegacyHead> => {
  for (let length = FIRST_READ_BYTES; ; length *= 4) {
    const all = length >= file.size;
    const bytes = await readBytes(file, 0, all ? file.size : length);
    try {
      return parseHead(bytes, file);
    } catch (error) {
      if (!(error instanceof PickleEndsEarly) || all) throw error;
    }
    if (length >= MAX_CHECKPOINT_PICKLE_BYTES) {
      throw new MdetrError(`${file.name}: refused, its pickle is longer than ${MAX_CHECKPOINT_PICKLE_BYTES} bytes`);
    }
  }
};

const parseHead = (bytes: Uint8Array, { name, size: fileBytes }: ByteSource): LegacyHead => {
  const roots = new Map<string, Root>();
  const load = (reference: StorageReference): LegacyStorage => registered(roots, reference, name);
  const dialect = torchDialect({ name, fileBytes, load, skipsUnknownStorages: false });
  let end = 0;
  const next = (): PickleValue => {
    const pickle = unpickle(bytes, { ...dialect, name, limits: CHECKPOINT_PICKLE_LIMITS }, end);
    end = pickle.end;
    return pickle.value;
  };
  const [magic, protocol, system] = [next(), next(), next()];
  if (magic !== LEGACY_MAGIC || protocol !== LEGACY_PROTOCOL) {
    throw new MdetrError(`${name}: not a legacy PyTorch file of version ${LEGACY_PROTOCOL}`);
  }
  if (system instanceof Map && system.get('little_endian') === false) {
    throw new MdetrError(`${name}: refused, byte order "big"`);
  }
  const tree = next();
  const keys = next();
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw new MdetrError(
      `${name}: malformed legacy PyTorch file: its list of storages has an entry that is not a name`,
    );
  }
  return { tree, keys, roots, end };
};

const registered = (
  roots: Map<string, Root>,
  { key, dtype, elements, view }: StorageReference,
  name: string,
): LegacyStorage => {
  const known = roots.get(key);
  if (known !== undefined && (known.dtype !== dtype || known.elements !== elements)) {
    throw new MdetrError(`${name}: refused, storage ${quoted(key)} is referenced with two types or sizes`);
  }
  const root = known ?? { dtype, elements, byteLength: storageBytes(elements, dtype) };
  const offsetBytes = view === undefined ? 0 : storageBytes(view.offset, dtype);
  const byteLength = view === undefined ? root.byteLength : storageBytes(view.elements, dtype);
  if (!Number.isSafeInteger(root.byteLength) || offsetBytes + byteLength > root.byteLength) {
    throw new MdetrError(`${name}: refused, storage ${quoted(key)} has an impossible size`);
  }
  roots.set(key, root);
  return { key: view?.key ?? key, dtype, byteLength, rootKey: key, offsetBytes };
};
