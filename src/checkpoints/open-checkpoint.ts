import { MdetrError } from '../errors.ts';
import type { Checkpoint, CheckpointContents, TensorTotals } from './checkpoint.ts';
import type { TensorEntry } from './tensor-entry.ts';
import { bytesPerElement, elementCount } from './dtype.ts';
import { openFileSource } from './file-source.ts';
import { type ByteSource, readBytes } from './byte-source.ts';
import { InertObject, type JsonValue, jsonOf, Namespace, type PickleValue } from './pickle/pickle-values.ts';
import { type PthFile, pthOf } from './pth/pth.ts';
import { isShardIndex, openShards } from './shards.ts';
import { isSafetensors, type SafetensorsFile, safetensorsOf } from './safetensors/safetensors.ts';
import { TorchTensor } from './pth/torch-tensor.ts';

/** Options of `openCheckpoint`. */
export interface OpenCheckpointOptions {
  /** Which weights to select. Default: the EMA weights if the file holds them. */
  readonly weights?: 'model' | 'ema';
}

/**
 * Opens a weight file. The format is detected from the contents: PyTorch (zip or legacy) or safetensors. Accepts official
 * checkpoints (`model`, `model_ema`, `optimizer`, `epoch`, `args`), other dictionaries that hold a state dict
 * (`state_dict`), bare state dicts, and the index of a sharded file (`model.safetensors.index.json`). Tensors are read on demand; the caller closes the checkpoint.
 * @throws {MdetrError} if the file is not a weight file, is damaged, or lacks the requested weights
 */
export const openCheckpoint = async (path: string, options: OpenCheckpointOptions = {}): Promise<Checkpoint> => {
  if (isShardIndex(path)) return openShards(path, (shard) => openCheckpoint(shard, options));
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
    files: [path],
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
  /** Dictionary that holds the weights, beside the epoch, the arguments and the optimizer. */
  readonly top: Dict;
  readonly model?: Dict;
  readonly ema?: Dict;
  /** Keys of `top` that hold the weights. */
  readonly keys: readonly PickleValue[];
}

/** Levels of dictionaries around the weights, such as `{state_dict: {model: …}}`, that are searched. */
const MAX_WRAPPED_LEVELS = 4;

const findStateDicts = (path: string, tree: PickleValue): StateDicts => {
  if (!isDict(tree)) {
    const found = tree instanceof InertObject ? `an object (${tree.describe().slice(0, 100)})` : 'other data';
    throw new MdetrError(
      `${path}: does not hold a dictionary of weights but ${found}; save model.state_dict() instead of the model`,
    );
  }
  let level: Dict[] = [tree];
  for (let depth = 0; depth < MAX_WRAPPED_LEVELS && level.length > 0; depth++) {
    for (const dict of level) {
      const found = stateDictsIn(dict);
      if (found !== undefined) return found;
    }
    // A dictionary with several state dicts does not say which one holds the weights.
    level = level.flatMap((dict) => [...dict.values()].filter(isDict).filter((inner) => !isPureStateDict(inner)));
  }
  const keys = [...tree].slice(0, 10).map(([key, value]) => {
    const name = JSON.stringify(typeof key === 'string' ? key.slice(0, 100) : '?');
    return value instanceof InertObject ? `${name}: ${JSON.stringify(value.describe().slice(0, 100))}` : name;
  });
  throw new MdetrError(`${path}: holds no state dict; its keys are ${keys.join(', ') || '(none)'}`);
};

const stateDictsIn = (top: Dict): StateDicts | undefined => {
  const modelKey = MODEL_KEYS.find((key) => isStateDict(top.get(key)));
  // Training without EMA saves `model_ema: None`.
  const emaKey = EMA_KEYS.find((key) => isStateDict(top.get(key)));
  if (modelKey !== undefined || emaKey !== undefined) {
    const model = modelKey === undefined ? undefined : (top.get(modelKey) as Dict);
    const ema = emaKey === undefined ? undefined : (top.get(emaKey) as Dict);
    return { top, model, ema, keys: [modelKey, emaKey].filter((key) => key !== undefined) };
  }
  if (holdsTensor(top)) return { top, model: top, keys: [...top.keys()] };
  const candidates: { key: PickleValue; model: Dict }[] = [];
  for (const [key, model] of top) if (isPureStateDict(model)) candidates.push({ key, model });
  const [candidate] = candidates;
  if (candidate === undefined || candidates.length > 1) return undefined;
  return { top, model: candidate.model, keys: [candidate.key] };
};

const pthCheckpoint = (file: PthFile, options: OpenCheckpointOptions): Checkpoint => {
  const { path, tree } = file;
  const found = findStateDicts(path, tree);
  const { model, ema } = found;
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
    else if (chosen !== found.top) notTensors.push(name ?? '(key that is not a string)');
  }
  const args = chosen === found.top ? undefined : argsOf(found.top, tree as Dict);
  return {
    path,
    format: file.format,
    tensors,
    weights: model !== undefined && ema !== undefined ? wanted : 'only',
    contents: contentsOf(found, notTensors),
    args: args === undefined ? undefined : (jsonOf(args, path) as Readonly<Record<string, JsonValue>>),
    metadata: {},
    files: [path],
    close: () => file.close(),
  };
};

/** Arguments beside the weights or, if the weights are wrapped, at the top level. */
const argsOf = (top: Dict, tree: Dict): Namespace | Dict | undefined =>
  [top.get('args'), tree.get('args')].find((args) => args instanceof Namespace || args instanceof Map);

const contentsOf = (found: StateDicts, notTensors: readonly string[]): CheckpointContents => {
  const { top } = found;
  const epoch = top.get('epoch');
  const optimizer = top.get('optimizer');
  const known = new Set<PickleValue>([...found.keys, 'epoch', 'optimizer', 'args', ...EMA_KEYS]);
  return {
    epoch: typeof epoch === 'number' ? epoch : undefined,
    model: found.model === undefined ? undefined : totalsOf(tensorsIn(found.model)),
    ema: found.ema === undefined ? undefined : totalsOf(tensorsIn(found.ema)),
    optimizer: optimizer instanceof Map ? totalsOf(tensorsIn(optimizer)) : undefined,
    others: [...top.keys()].filter((key) => typeof key === 'string' && !known.has(key)) as string[],
    notTensors,
  };
};

/** All tensors of a tree, without duplicates. */
const tensorsIn = (root: PickleValue): Set<TorchTensor> => {
  const tensors = new Set<TorchTensor>();
  const seen = new Set<PickleValue>([root]);
  // A set grows while it is iterated: the walk needs no recursion.
  for (const value of seen) {
    if (value instanceof TorchTensor) tensors.add(value);
    else if (value instanceof Map || Array.isArray(value) || value instanceof Set) {
      for (const item of value.values()) if (item !== null && typeof item === 'object') seen.add(item);
    }
  }
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
