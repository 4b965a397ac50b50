import { matchStateDict, describeMatch, type Checkpoint } from '../../checkpoints/index.ts';
import { MdetrError } from '../../errors.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import { initialValue, type MdetrNetwork } from '../../models/index.ts';
import type { ParameterSpec } from '../../nn/index.ts';
import { openModelFiles } from '../../model-folder/node/model-files.ts';
import type { InitializationConfig, ScheduleConfig } from '../config/run-settings.ts';
import { isAuxiliary } from '../auxiliary/auxiliary-heads.ts';
import { sharedTensor } from '../optimizer/shared-values.ts';

/** All `state_dict` entries of a network by name. Optimizers update them in place. */
export type ParameterStore = Map<string, HostTensor>;

/** Initial values of all `state_dict` entries of a network. */
export const initialParameters = (model: MdetrNetwork, seed: number): ParameterStore =>
  initialValues(model.registry.specs, seed);

/** Initial values of parameters. */
export const initialValues = (specs: readonly ParameterSpec[], seed: number): ParameterStore =>
  new Map(specs.map((spec) => [spec.name, sharedTensor(initialValue(spec, seed))]));

/** Predicate of the parameters that the official code trains: the backbone only when its learning rate is above 0. */
export const officiallyTrainable =
  (model: MdetrNetwork, { lr_backbone }: Pick<ScheduleConfig, 'lr_backbone'>) =>
  (name: string): boolean =>
    !name.includes('backbone.0') || (lr_backbone > 0 && model.isBackboneTrainable(name));

/**
 * Predicate of the parameters that a config trains: `officiallyTrainable` and auxiliary heads without a frozen text
 * encoder, or only the mask head on a frozen detector.
 */
export const trainableBy = (
  model: MdetrNetwork,
  config: Pick<
    ScheduleConfig & InitializationConfig,
    'lr_backbone' | 'freeze_text_encoder' | 'frozen_weights' | 'freeze_detector'
  >,
): ((name: string) => boolean) => {
  const official = officiallyTrainable(model, config);
  if (config.frozen_weights !== undefined || config.freeze_detector)
    return (name) => name.startsWith('bbox_attention.') || name.startsWith('mask_head.');
  return (name) =>
    isAuxiliary(name) || (official(name) && !(config.freeze_text_encoder && name.includes('text_encoder')));
};

/** Summary of loaded weights for the user. */
export interface LoadReport {
  readonly text: string;
}

/**
 * Overwrites values with those of a checkpoint (`.pth`, `.safetensors`, model folder), preferring moving averages, like
 * the official `--load`. Parameters that the file lacks keep their values, tensors that the network lacks are ignored; the
 * report lists both. Weights of a detector also load into a network with masks, whose names begin with `detr.`, and vice
 * versa.
 *
 * @throws {MdetrError} when no tensor matches, or one has another shape
 */
export const loadParameters = async (values: ParameterStore, path: string): Promise<LoadReport> => {
  const files = await openModelFiles(path);
  try {
    if (files.checkpoint === undefined) return { text: `${path}: is not trained; starting from initial values` };
    return await fillFrom(values, files.checkpoint);
  } finally {
    await files.close();
  }
};

/** Tables whose rows a network may have more of than its checkpoint: one for each word, or for each object query. */
const growingTableAt = /\.embeddings\.(?:word|pretrained)_embeddings\.weight$|(?:^|\.)query_embed\.weight$/;
/** Noise of further queries relative to the trained ones that they begin as, so that no two stay equal. */
const QUERY_NOISE = 0.1;

/** Number of rows of the checkpoint's growing tables, by the end of their names. */
const rowsOfTables = ({ tensors }: Checkpoint): ReadonlyMap<string, number> =>
  new Map(
    [...tensors.values()].flatMap(({ name, shape }) => {
      const table = tableOf(name);
      return table === undefined ? [] : [[table, shape[0]!] as const];
    }),
  );

/** End of the name of a growing table, without a prefix that only one of two networks has. */
const tableOf = (name: string): string | undefined => growingTableAt.exec(name)?.[0].replace(/^\./, '');

/** Shape of the part of a parameter that the checkpoint has: its words or queries, which come first. */
const storedShape = (
  name: string,
  shape: readonly number[],
  stored: ReadonlyMap<string, number>,
): readonly number[] => {
  const rows = stored.get(tableOf(name) ?? '');
  return rows !== undefined && rows < shape[0]! ? [rows, ...shape.slice(1)] : shape;
};

/** Starts further queries as trained ones, in turn, with some of their initial values as noise. */
const startQueries = (values: Float32Array, trained: Float32Array): void => {
  scaleLike(values, trained);
  values.forEach((noise, index) => (values[index] = trained[index % trained.length]! + QUERY_NOISE * noise));
};

/** Scales the initial values of new words to the root mean square of the trained ones. */
const scaleLike = (values: Float32Array, trained: Float32Array): void => {
  const meanSquare = (array: Float32Array): number =>
    array.reduce((sum, value) => sum + value * value, 0) / array.length;
  const factor = Math.sqrt(meanSquare(trained) / meanSquare(values));
  if (Number.isFinite(factor)) values.forEach((value, index) => (values[index] = value * factor));
};

const fillFrom = async (values: ParameterStore, checkpoint: Checkpoint): Promise<LoadReport> => {
  const wanted = [...values].filter(([name]) => !name.endsWith('position_ids') && !isAuxiliary(name));
  const stored = rowsOfTables(checkpoint);
  const expected = wanted.map(([name, { shape }]) => ({ name, shape: storedShape(name, shape, stored) }));
  const plain = matchStateDict(expected, checkpoint.tensors.values());
  const match =
    plain.suggestion === undefined
      ? plain
      : matchStateDict(expected, checkpoint.tensors.values(), { prefixes: plain.suggestion.prefixes });
  const best = match.used.length >= plain.used.length ? match : plain;
  if (best.used.length === 0) throw new MdetrError(`${checkpoint.path}: ${describeMatch(best).replaceAll('\n', '; ')}`);
  if (best.mismatched.length > 0)
    throw new MdetrError(
      `${checkpoint.path}: does not fit the network of this config: ${describeMatch(best).replaceAll('\n', '; ')}`,
    );
  let further = 0;
  for (const { name, source } of best.used) {
    const [own, entry] = [values.get(name)!, checkpoint.tensors.get(source)!];
    const data = own.data as Float32Array;
    const read = await entry.readFloat32();
    if (read.length < data.length) {
      const isQueries = name.endsWith('query_embed.weight');
      if (isQueries) further = own.shape[0]! - entry.shape[0]!;
      (isQueries ? startQueries : scaleLike)(data.subarray(read.length), read);
    }
    data.set(read);
  }
  const which = checkpoint.weights === 'ema' ? ' (moving average)' : '';
  const queries = further === 0 ? '' : `; ${further} further queries start as the trained ones`;
  return { text: `${checkpoint.path}${which}: ${describeMatch(best)}${queries}` };
};
