import { openSafetensors, writeSafetensors, type TensorEntry, type TensorSource } from '../checkpoints/index.ts';
import { MdetrError } from '../errors.ts';
import type { HostTensor } from '../graph/index.ts';
import type { Moments } from './optimizer.ts';
import type { TrainerState } from './trainer.ts';

/** Where a run stands besides its numbers. */
export interface RunPosition {
  readonly epoch: number;
  /** Batches of that epoch that are done. */
  readonly batch: number;
  /** Lengths of the records at that moment; what stands behind is of steps that will be done again. */
  readonly logBytes: number;
  readonly eventBytes: number;
  /** The best validation so far. */
  readonly best?: { readonly metric: number; readonly step: number };
  /** Time that the run has taken. */
  readonly seconds: number;
  /** Rows left out so far. */
  readonly skippedRows: readonly number[];
  readonly isDone: boolean;
}

/** Everything that a run needs to go on as if it had never stopped. */
export interface RunState {
  readonly trainer: TrainerState;
  readonly position: RunPosition;
  /** The config that it was made with. */
  readonly config: Readonly<Record<string, unknown>>;
}

const format = 'mdetr-training-state-1';

/**
 * Writes a run's state as one safetensors file, by way of a temporary one: whenever the process dies, `path` holds a
 * whole state. Random numbers are drawn from seed and position, so they need no place in it.
 */
export const writeRunState = async (path: string, { trainer, position, config }: RunState): Promise<void> => {
  const sources: TensorSource[] = [];
  for (const [name, value] of trainer.parameters) sources.push(sourceOf(`model.${name}`, value));
  for (const [name, value] of trainer.average ?? []) sources.push(sourceOf(`ema.${name}`, value));
  const stepOf: Record<string, number> = {};
  for (const [name, { step, first, second }] of trainer.moments) {
    stepOf[name] = step;
    sources.push(sourceOf(`first.${name}`, floats(first)), sourceOf(`second.${name}`, floats(second)));
  }
  const facts = { step: trainer.step, moments: stepOf, position, config };
  await writeSafetensors(path, sources, { format, state: JSON.stringify(facts) });
};

interface Facts extends Pick<RunState, 'position' | 'config'> {
  readonly step: number;
  readonly moments: Readonly<Record<string, number>>;
}

/** Throws `MdetrError` when the file is no state, or is damaged. */
export const readRunState = async (path: string): Promise<RunState> => {
  const file = await openSafetensors(path);
  try {
    if (file.metadata['format'] !== format)
      throw new MdetrError(`${path}: is no training state of this version; train into a new folder`);
    const { step, moments, position, config } = JSON.parse(file.metadata['state'] ?? '{}') as Facts;
    const parameters = new Map<string, HostTensor>();
    const average = new Map<string, HostTensor>();
    for (const [name, entry] of file.tensors) {
      const target = name.startsWith('model.') ? parameters : name.startsWith('ema.') ? average : undefined;
      target?.set(name.slice(name.indexOf('.') + 1), await valueOf(entry));
    }
    const read = async (name: string): Promise<Float32Array> => {
      const entry = file.tensors.get(name);
      if (entry === undefined) throw new MdetrError(`${path}: lacks "${name}": the file is damaged`);
      return entry.readFloat32();
    };
    const restored = new Map<string, Moments>();
    for (const [name, taken] of Object.entries(moments))
      restored.set(name, { step: taken, first: await read(`first.${name}`), second: await read(`second.${name}`) });
    return {
      trainer: { step, parameters, average: average.size === 0 ? undefined : average, moments: restored },
      position,
      config,
    };
  } finally {
    await file.close();
  }
};

const floats = (data: Float32Array): HostTensor => ({ dtype: 'float32', shape: [data.length], data });

/** A tensor of a state or model file. */
export const sourceOf = (name: string, { dtype, shape, data }: HostTensor): TensorSource => {
  if (dtype !== 'float32' && dtype !== 'int64') throw new Error(`internal: a parameter of type ${dtype}`);
  return {
    name,
    dtype: dtype === 'int64' ? 'i64' : 'f32',
    shape,
    read: () => Promise.resolve(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  };
};

const valueOf = async (entry: TensorEntry): Promise<HostTensor> => {
  const { shape } = entry;
  if (entry.dtype !== 'i64') return { dtype: 'float32', shape, data: await entry.readFloat32() };
  const bytes = Uint8Array.from(await entry.read());
  return { dtype: 'int64', shape, data: new BigInt64Array(bytes.buffer) };
};
