import { matchStateDict, openCheckpoint, describeMatch, type Checkpoint } from '../../checkpoints/index.ts';
import { MdetrError } from '../../errors.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import { initialValue, type MdetrNetwork } from '../../models/index.ts';
import type { ParameterSpec } from '../../nn/index.ts';
import { openModelFiles } from '../../model-folder/node/model-files.ts';
import type { TrainConfig } from '../config/config.ts';
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
  (model: MdetrNetwork, { lr_backbone }: Pick<TrainConfig, 'lr_backbone'>) =>
  (name: string): boolean =>
    !name.includes('backbone.0') || (lr_backbone > 0 && model.isBackboneTrainable(name));

/**
 * Predicate of the parameters that a config trains: `officiallyTrainable` and auxiliary heads without a frozen text
 * encoder, or only the mask head on a frozen detector.
 */
export const trainableBy = (
  model: MdetrNetwork,
  config: Pick<TrainConfig, 'lr_backbone' | 'freeze_text_encoder' | 'frozen_weights' | 'freeze_detector'>,
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

/** `loadParameters` for a weight file. */
export const loadWeightFile = async (values: ParameterStore, path: string): Promise<LoadReport> => {
  const checkpoint = await openCheckpoint(path);
  try {
    return await fillFrom(values, checkpoint);
  } finally {
    await checkpoint.close();
  }
};

const fillFrom = async (values: ParameterStore, checkpoint: Checkpoint): Promise<LoadReport> => {
  const wanted = [...values].filter(([name]) => !name.endsWith('position_ids') && !isAuxiliary(name));
  const expected = wanted.map(([name, { shape }]) => ({ name, shape }));
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
  for (const { name, source } of best.used) {
    const data = values.get(name)!.data as Float32Array;
    data.set(await checkpoint.tensors.get(source)!.readFloat32());
  }
  const which = checkpoint.weights === 'ema' ? ' (moving average)' : '';
  return { text: `${checkpoint.path}${which}: ${describeMatch(best)}` };
};
