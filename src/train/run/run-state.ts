import { existsSync } from 'node:fs';
import * as z from 'zod';
import {
  openSafetensors,
  writeSafetensors,
  type SafetensorsFile,
  type TensorEntry,
  type TensorSource,
} from '../../checkpoints/index.ts';
import { MdetrError, quoted } from '../../errors.ts';
import { firstIssue } from '../../options/first-issue.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import type { Moments } from '../optimizer/optimizer.ts';
import type { TrainerState } from '../step/trainer-state.ts';

const whole = z.number().int().nonnegative();
const number = z.number();

const positionSchema = z.object({
  epoch: whole,
  /** Batches of that epoch that are done, of all processes. */
  batch: whole,
  /** Lengths of the log files at that step; what follows belongs to steps that will be repeated. */
  logBytes: whole,
  eventBytes: whole,
  /** The best validation so far. */
  best: z.object({ metric: number, step: whole }).optional(),
  /** Validations since the best one. */
  staleValidations: whole.optional(),
  /** Metrics of the last validation. */
  metrics: z.record(z.string(), number.nullable()).optional(),
  /** A validation was due at this step, and was interrupted. */
  isValidationDue: z.boolean().optional(),
  /** Duration of the run so far. */
  seconds: number.nonnegative(),
  /** Indices of the rows skipped so far. */
  skippedRows: z.array(whole),
  isDone: z.boolean(),
  /** Number of parts in which batches are computed. */
  batchParts: whole.optional(),
});

/** Position of a run: everything in its state but tensors and config. */
export type RunPosition = Readonly<z.infer<typeof positionSchema>>;

/** Everything that a run needs to resume as if it had never stopped. */
export interface RunState {
  readonly trainer: TrainerState;
  readonly position: RunPosition;
  /** The config that it was written with. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Version of training states that this release writes. */
const STATE_VERSION = 1;
const FORMAT_PREFIX = 'mdetr-training-state-';

/**
 * Writes the state of a run as one safetensors file, atomically: whenever the process dies, `path` holds a complete state.
 * It contains no random-number state, since random numbers are functions of seed and position.
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
  await writeSafetensors(path, sources, { format: `${FORMAT_PREFIX}${STATE_VERSION}`, state: JSON.stringify(facts) });
};

const factsSchema = z.object({
  step: whole,
  moments: z.record(z.string(), whole),
  position: positionSchema,
  config: z.record(z.string(), z.unknown()),
});
type Facts = z.infer<typeof factsSchema>;

/** Step and position of a state. */
export type RunFacts = Pick<Facts, 'step' | 'position'>;

const damaged = (path: string, what: string): MdetrError =>
  new MdetrError(`${path}: ${what}: the file is damaged; train into a new folder, or bring back a copy of it`);

/**
 * Reads step and position of a state, without its tensors; undefined if there is no file.
 *
 * @throws {MdetrError} if the file is not a training state, or is damaged
 */
export const readRunFacts = async (path: string): Promise<RunFacts | undefined> => {
  if (!existsSync(path)) return undefined;
  const file = await openSafetensors(path);
  try {
    return factsOf(path, file);
  } finally {
    await file.close();
  }
};

const factsOf = (path: string, { metadata }: SafetensorsFile): Facts => {
  const { format = '' } = metadata;
  const version = format.startsWith(FORMAT_PREFIX) ? Number(format.slice(FORMAT_PREFIX.length)) : NaN;
  if (!Number.isInteger(version) || version < 1)
    throw new MdetrError(`${path}: is not a training state; train into a new folder`);
  if (version > STATE_VERSION)
    throw new MdetrError(
      `${path}: has version ${version}; this release reads training states up to version ${STATE_VERSION}. Update mdetr, or train into a new folder.`,
    );
  let values: unknown;
  try {
    values = JSON.parse(metadata['state'] ?? '');
  } catch {
    throw damaged(path, 'its "state" is not JSON');
  }
  const parsed = factsSchema.safeParse(values);
  if (!parsed.success) {
    const { field, predicate } = firstIssue(parsed.error);
    throw damaged(path, `state.${field} ${predicate}`);
  }
  return parsed.data;
};

/**
 * Reads the state of a run.
 *
 * @throws {MdetrError} if the file is not a training state, or is damaged
 */
export const readRunState = async (path: string): Promise<RunState> => {
  const file = await openSafetensors(path);
  try {
    const { step, moments, position, config } = factsOf(path, file);
    const parameters = new Map<string, HostTensor>();
    const average = new Map<string, HostTensor>();
    for (const [name, entry] of file.tensors) {
      const target = name.startsWith('model.') ? parameters : name.startsWith('ema.') ? average : undefined;
      target?.set(name.slice(name.indexOf('.') + 1), await valueOf(entry));
    }
    const restored = new Map<string, Moments>();
    for (const [name, taken] of Object.entries(moments)) {
      const size = parameters.get(name)?.data.length;
      if (size === undefined) throw damaged(path, `moments of ${quoted(name)}, which is not a parameter`);
      const [first, second] = [await read(path, file, `first.${name}`), await read(path, file, `second.${name}`)];
      // SGD has only the first.
      if (first.length !== size || (second.length !== size && second.length !== 0))
        throw damaged(path, `the moments of ${quoted(name)} differ from it in size`);
      restored.set(name, { step: taken, first, second });
    }
    return {
      trainer: { step, parameters, average: average.size === 0 ? undefined : average, moments: restored },
      position,
      config,
    };
  } finally {
    await file.close();
  }
};

const read = async (path: string, { tensors }: SafetensorsFile, name: string): Promise<Float32Array> => {
  const entry = tensors.get(name);
  if (entry === undefined) throw damaged(path, `"${name}" is missing`);
  return entry.readFloat32();
};

const floats = (data: Float32Array): HostTensor => ({ dtype: 'float32', shape: [data.length], data });

/** A host tensor as a tensor of a safetensors file. */
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
