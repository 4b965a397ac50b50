import type { TensorEntry } from '../checkpoints/tensor-entry.ts';
import { matchStateDict, type StateDictMatch } from '../checkpoints/state-dict.ts';
import type { WeightSource } from '../engine/runtime/runtime.ts';
import type { MdetrNetwork } from '../models/index.ts';

/** Compares a weight file with a network. `position_ids`, a table of 0, 1, 2, … that nothing reads, may be missing. */
export const matchParameters = (
  model: MdetrNetwork,
  { tensors }: { readonly tensors: ReadonlyMap<string, TensorEntry> },
): StateDictMatch =>
  matchStateDict(
    model.registry.specs.filter((spec) => !spec.name.endsWith('position_ids')),
    tensors.values(),
  );

/** Parameters of a network that are read from the tensors of a weight file. */
export const parameterWeights = (
  model: MdetrNetwork,
  tensors: ReadonlyMap<string, TensorEntry>,
  match: StateDictMatch,
  digest: string,
): WeightSource => {
  const sourceOf = new Map(match.used.map(({ name, source }) => [name, source]));
  return {
    digest,
    async read(name) {
      const entry = tensors.get(sourceOf.get(name) ?? '');
      const spec = model.registry.get(name);
      if (entry === undefined || spec === undefined) throw new Error(`internal: no weights for "${name}"`);
      return { dtype: 'float32', shape: spec.shape, data: await entry.readFloat32() };
    },
  };
};
