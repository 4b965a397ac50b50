import { MdetrError } from '../../errors.ts';
import { writeAtomically } from '../../files/atomic-file.ts';
import { elementCount } from '../dtype.ts';
import type { JsonValue } from '../pickle/pickle-values.ts';
import {
  type Picklable,
  type PicklableDict,
  PickleName,
  PickleNamespace,
  PickleNode,
  PickleOrderedDict,
  PickleTuple,
  PickleWriter,
} from '../pickle/pickle-writer.ts';
import { rowMajorStrides } from '../tensor-view.ts';
import { byteLengthOf, readChecked, type TensorSource } from '../tensor-source.ts';
import { storageTypeOf } from './torch-dialect.ts';
import { ZipWriter } from './zip-writer.ts';

/** Contents of a checkpoint, as the official code saves it. All but `model` are optional. */
export interface PthContents {
  readonly model: Iterable<TensorSource>;
  /** EMA weights, saved as `model_ema`. */
  readonly ema?: Iterable<TensorSource> | undefined;
  /** Optimizer state: dictionaries as `Map`s, tensors as `PickledTensor`s. */
  readonly optimizer?: Picklable | undefined;
  readonly epoch?: number | undefined;
  /** Arguments, saved as an `argparse.Namespace`, which PyTorch reads only with `weights_only=False`. */
  readonly args?: Readonly<Record<string, JsonValue>> | undefined;
}

/** A tensor inside a tree that `writePth` writes. */
export class PickledTensor extends PickleNode {
  readonly source: TensorSource;

  constructor(source: TensorSource) {
    super();
    this.source = source;
  }

  override writeTo(pickle: PickleWriter): void {
    const { name, dtype, shape } = this.source;
    const storageType = storageTypeOf(dtype);
    const count = elementCount(shape);
    if (storageType === undefined || count === undefined) {
      throw new MdetrError(`tensor "${name}": PyTorch files cannot hold ${dtype} [${shape}]; convert it first`);
    }
    const key = pickle.external(this).toString();
    const storage = new StorageId(['storage', new PickleName('torch', storageType), key, 'cpu', count]);
    const requiresGrad = false;
    const hooks = new PickleOrderedDict([]);
    const size = new PickleTuple(shape);
    const strides = new PickleTuple(rowMajorStrides(shape));
    pickle.call('torch._utils', '_rebuild_tensor_v2', [storage, 0, size, strides, requiresGrad, hooks]);
  }
}

class StorageId extends PickleNode {
  readonly items: readonly Picklable[];

  constructor(items: readonly Picklable[]) {
    super();
    this.items = items;
  }

  override writeTo(pickle: PickleWriter): void {
    pickle.persistentId(this.items);
  }
}

const stateDict = (tensors: Iterable<TensorSource>): PickleOrderedDict =>
  new PickleOrderedDict(Array.from(tensors, (source) => [source.name, new PickledTensor(source)]));

const picklable = (value: JsonValue): Picklable => {
  if (value === null || typeof value !== 'object') return value;
  if (isList(value)) return value.map(picklable);
  return dictOf(value);
};

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);

const dictOf = (record: Readonly<Record<string, JsonValue>>): PicklableDict =>
  new Map(Object.entries(record).map(([key, item]) => [key, picklable(item)]));

/**
 * Writes a `.pth` file atomically in torch.save's zip format, with one tensor in memory at a time. Without `args`,
 * PyTorch can also read it with `weights_only=True`.
 * @throws {MdetrError} if a dtype has no PyTorch storage, or the file cannot be written
 */
export const writePth = async (path: string, contents: PthContents): Promise<void> => {
  const { model, ema, optimizer, epoch, args } = contents;
  const top = new Map<Picklable, Picklable>([['model', stateDict(model)]]);
  if (ema !== undefined) top.set('model_ema', stateDict(ema));
  if (optimizer !== undefined) top.set('optimizer', optimizer);
  if (epoch !== undefined) top.set('epoch', epoch);
  if (args !== undefined) top.set('args', new PickleNamespace(dictOf(args)));
  const { bytes, externals } = PickleWriter.pickle(top);

  await writeAtomically(path, async (sink) => {
    const zip = new ZipWriter(sink);
    const addText = (name: string, text: string): Promise<void> =>
      zip.add(`archive/${name}`, text.length, [Buffer.from(text)]);
    await zip.add('archive/data.pkl', bytes.byteLength, [bytes]);
    await addText('byteorder', 'little');
    for (const [index, node] of externals.entries()) {
      if (!(node instanceof PickledTensor)) throw new Error('internal: data of something that is not a tensor');
      const { source } = node;
      await zip.add(`archive/data/${index}`, byteLengthOf(source), contentsOf(source));
    }
    await addText('version', '3\n');
    await zip.finish();
  });
};

/** Chunk size of checksums, which take less than 4 GiB at once. */
const PART_BYTES = 2 ** 28;

async function* contentsOf(source: TensorSource): AsyncIterable<Uint8Array> {
  const bytes = await readChecked(source);
  for (let i = 0; i < bytes.byteLength; i += PART_BYTES) yield bytes.subarray(i, i + PART_BYTES);
}
