import { matchStateDict, openCheckpoint, describeMatch, type Checkpoint } from '../../checkpoints/index.ts';
import { MdetrError } from '../../errors.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import { initialValue, type Mdetr } from '../../models/index.ts';
import type { ParameterSpec } from '../../nn/index.ts';
import { openModelFiles } from '../../model-folder/node/model-files.ts';
import type { TrainConfig } from '../config/config.ts';
import { isAuxiliary } from '../auxiliary/auxiliary-heads.ts';
import { sharedTensor } from '../optimizer/shared-values.ts';

/** All `state_dict` entries of a network by name; optimisers change them in place. */
export type ParameterStore = Map<string, HostTensor>;

/** Starting values of all `state_dict` entries. */
export const initialParameters = (model: Mdetr, seed: number): ParameterStore =>
  initialValues(model.registry.specs, seed);

/** Starting values of any parameters. */
export const initialValues = (specs: readonly ParameterSpec[], seed: number): ParameterStore =>
  new Map(specs.map((spec) => [spec.name, sharedTensor(initialValue(spec, seed))]));

/** What the official code trains of the network itself: the backbone as it says, and only with a rate above 0. */
export const officiallyTrainable =
  (model: Mdetr, { lr_backbone }: Pick<TrainConfig, 'lr_backbone'>) =>
  (name: string): boolean =>
    !name.includes('backbone.0') || (lr_backbone > 0 && model.isBackboneTrainable(name));

/** What a config trains: as above, without a frozen text encoder, and the mask head alone on a frozen detector. */
export const trainableBy = (
  model: Mdetr,
  config: Pick<TrainConfig, 'lr_backbone' | 'freeze_text_encoder' | 'frozen_weights' | 'freeze_detector'>,
): ((name: string) => boolean) => {
  const official = officiallyTrainable(model, config);
  if (config.frozen_weights !== undefined || config.freeze_detector)
    return (name) => name.startsWith('bbox_attention.') || name.startsWith('mask_head.');
  return (name) =>
    isAuxiliary(name) || (official(name) && !(config.freeze_text_encoder && name.includes('text_encoder')));
};

/** What came of loading weights, for people. */
export interface LoadReport {
  readonly text: string;
}

/**
 * Overwrites values by those of a checkpoint (`.pth`, `.safetensors`, model folder), moving averages preferred, as the
 * official `--load`: what the file lacks keeps its start, what the network lacks is left out; both are told. Weights of
 * a detector fit into a network with masks, whose names begin with `detr.`, and the other way round.
 *
 * @throws {MdetrError} when nothing fits, or a tensor has another shape
 */
export const loadParameters = async (values: ParameterStore, path: string): Promise<LoadReport> => {
  const files = await openModelFiles(path);
  try {
    // An untrained model is nothing but initial values, and such are there.
    if (files.checkpoint === undefined) return { text: `${path}: is not trained, so this begins with initial values` };
    return await fillFrom(values, files.checkpoint);
  } finally {
    await files.close();
  }
};

/** As `loadParameters`, for a weight file of any form. */
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
