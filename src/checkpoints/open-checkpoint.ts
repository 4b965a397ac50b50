import { MdetrError } from '../errors.ts';
import type { Checkpoint, CheckpointContents, TensorEntry, TensorTotals } from './checkpoint.ts';
import { bytesPerElement, elementCount } from './dtype.ts';
import { type ByteSource, openFileSource, readBytes } from './file-source.ts';
import { type JsonValue, jsonOf, Namespace, type PickleValue } from './pickle/pickle-values.ts';
import { type PthFile, pthOf } from './pth/pth.ts';
import { isSafetensors, type SafetensorsFile, safetensorsOf } from './safetensors/safetensors.ts';
import { TorchTensor } from './pth/torch-tensor.ts';

export interface OpenCheckpointOptions {
  /** Which weights to select. Default: the EMA weights if the file holds them. */
  readonly weights?: 'model' | 'ema';
}

/**
 * Opens a weight file. The format is detected from the contents: PyTorch (zip or legacy) or safetensors. Accepts official
 * checkpoints (`model`, `model_ema`, `optimizer`, `epoch`, `args`), other dictionaries that hold a state dict
 * (`state_dict`), and bare state dicts. Tensors are read on demand; the caller closes the checkpoint.
 * @throws {MdetrError} if the file is not a weight file, is damaged, or lacks the requested weights
 */
export const openCheckpoint = async (path: string, options: OpenCheckpointOptions = {}): Promise<Checkpoint> => {
  const source = await openFileSource(path);
  try {
    return (await startsAsSafetensors(source))
      ? safetensorsCheckpoint(await safetensorsOf(source), options)
      : pthCheckpoint(await pthOf(source), options);
  } catch (error) {
    await source.close();
    throw error;
  }
};

const startsAsSafetensors = async (file: ByteSource): Promise<boolean> => {
  // Also for a damaged file that ends before its header, so that the message names the format.
  if (file.size < 9) return file.name.endsWith('.safetensors');
  return isSafetensors(await readBytes(file, 0, 9));
};

const safetensorsCheckpoint = (file: SafetensorsFile, options: OpenCheckpointOptions): Checkpoint => {
  const { path } = file;
  if (options.weights === 'ema') {
    throw new MdetrError(`${path}: holds one set of weights and no EMA weights`);
  }
  return {
    path,
    format: 'safetensors',
    tensors: file.tensors,
    weights: 'only',
    contents: { model: totalsOf(file.tensors.values()), others: [], notTensors: [] },
    metadata: file.metadata,
    close: () => file.close(),
  };
};

type Dict = Map<PickleValue, PickleValue>;

/** Keys under which state dicts and their EMA are saved, in official and other checkpoints. */
const MODEL_KEYS = ['model', 'state_dict', 'model_state_dict'];
const EMA_KEYS = ['model_ema', 'state_dict_ema'];

const isDict = (value: PickleValue | undefined): value is Dict => value instanceof Map;

const holdsTensor = (dict: Dict): boolean => [...dict.values()].some((item) => item instanceof TorchTensor);

const isStateDict = (value: PickleValue | undefined): value is Dict => isDict(value) && holdsTensor(value);

/** Whether a value is a state dict: a dictionary of tensors only. */
const isPureStateDict = (value: PickleValue | undefined): value is Dict =>
  isStateDict(value) && [...value.values()].every((item) => item instanceof TorchTensor);

interface StateDicts {
  readonly model?: Dict;
  readonly ema?: Dict;
  /** Top-level keys that hold the weights. */
  readonly keys: readonly PickleValue[];
}

const findStateDicts = (path: string, tree: PickleValue): StateDicts => {
  if (!isDict(tree)) throw new MdetrError(`${path}: does not hold a dictionary of weights`);
  const modelKey = MODEL_KEYS.find((key) => isStateDict(tree.get(key)));
  // Training without EMA saves `model_ema: None`.
  const emaKey = EMA_KEYS.find((key) => isStateDict(tree.get(key)));
  if (modelKey !== undefined || emaKey !== undefined) {
    const model = modelKey === undefined ? undefined : (tree.get(modelKey) as Dict);
    const ema = emaKey === undefined ? undefined : (tree.get(emaKey) as Dict);
    return { model, ema, keys: [modelKey, emaKey].filter((key) => key !== undefined) };
  }
  if (holdsTensor(tree)) return { model: tree, keys: [...tree.keys()] };
  const candidates: { key: PickleValue; model: Dict }[] = [];
  for (const [key, model] of tree) if (isPureStateDict(model)) candidates.push({ key, model });
  const [candidate] = candidates;
  if (candidate !== undefined && candidates.length === 1) return { model: candidate.model, keys: [candidate.key] };
  const keys = [...tree.keys()].slice(0, 10).map((key) => JSON.stringify(typeof key === 'string' ? key : '?'));
  throw new MdetrError(`${path}: holds no state dict; its keys are ${keys.join(', ') || '(none)'}`);
};

const pthCheckpoint = (file: PthFile, options: OpenCheckpointOptions): Checkpoint => {
  const { path, tree } = file;
  const { model, ema, keys } = findStateDicts(path, tree);
  const wanted = options.weights ?? (ema === undefined ? 'model' : 'ema');
  const chosen = wanted === 'ema' ? ema : model;
  if (chosen === undefined) {
    const lacks = wanted === 'ema' ? 'EMA weights (model_ema)' : 'weights besides the EMA';
    throw new MdetrError(`${path}: holds no ${lacks}; select the other weights`);
  }
  const tensors = new Map<string, TensorEntry>();
  const notTensors: string[] = [];
  for (const [key, value] of chosen) {
    const name = typeof key === 'string' ? key : undefined;
    if (name !== undefined && value instanceof TorchTensor) tensors.set(name, file.entry(name, value));
    else if (chosen !== tree) notTensors.push(name ?? '(key that is not a string)');
  }
  const top: Dict = chosen === tree || !isDict(tree) ? new Map<PickleValue, PickleValue>() : tree;
  const args = top.get('args');
  return {
    path,
    format: file.format,
    tensors,
    weights: model !== undefined && ema !== undefined ? wanted : 'only',
    contents: contentsOf(tree as Dict, { model, ema, keys }, notTensors),
    ...(args instanceof Namespace || args instanceof Map
      ? { args: jsonOf(args, path) as Readonly<Record<string, JsonValue>> }
      : {}),
    metadata: {},
    close: () => file.close(),
  };
};

const contentsOf = (top: Dict, found: StateDicts, notTensors: readonly string[]): CheckpointContents => {
  const epoch = top.get('epoch');
  const optimizer = top.get('optimizer');
  const known = new Set<PickleValue>([...found.keys, 'epoch', 'optimizer', 'args', ...EMA_KEYS]);
  return {
    ...(typeof epoch === 'number' ? { epoch } : {}),
    ...(found.model === undefined ? {} : { model: totalsOf(tensorsIn(found.model)) }),
    ...(found.ema === undefined ? {} : { ema: totalsOf(tensorsIn(found.ema)) }),
    ...(optimizer instanceof Map ? { optimizer: totalsOf(tensorsIn(optimizer)) } : {}),
    others: [...top.keys()].filter((key) => typeof key === 'string' && !known.has(key)) as string[],
    notTensors,
  };
};

/** All tensors of a tree, without duplicates. */
const tensorsIn = (root: PickleValue): Set<TorchTensor> => {
  const tensors = new Set<TorchTensor>();
  const seen = new Set<PickleValue>();
  const visit = (value: PickleValue): void => {
    if (value === null || typeof value !== 'object' || seen.has(value)) return;
    seen.add(value);
    if (value instanceof TorchTensor) tensors.add(value);
    else if (value instanceof Map) for (const item of value.values()) visit(item);
    else if (Array.isArray(value) || value instanceof Set) for (const item of value) visit(item);
  };
  visit(root);
  return tensors;
};

const totalsOf = (
  tensors: Iterable<Pick<TensorEntry, 'shape'> & { readonly dtype: TensorEntry['dtype'] }>,
): TensorTotals => {
  let count = 0;
  let elements = 0;
  let bytes = 0;
  for (const { shape, dtype } of tensors) {
    const size = elementCount(shape)!;
    count += 1;
    elements += size;
    bytes += size * bytesPerElement(dtype);
  }
  return { tensors: count, elements, bytes };
};
