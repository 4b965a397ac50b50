import { describeMatch, matchStateDict, openCheckpoint } from '../../checkpoints/index.ts';
import { MdetrError } from '../../errors.ts';
import { resolveModelPath } from '../../model-folder/node/model-files.ts';
import type { LoadReport, ParameterStore } from '../step/parameters.ts';

/** Parts of a network that others have trained already. */
export type NetworkPart = 'backbone' | 'text_encoder';

interface PartNames {
  /** Where the part stands in the network. */
  readonly at: RegExp;
  /** What its makers put before the names, and what becomes of it. */
  readonly prefixes: Readonly<Record<string, string>>;
  /** What files of theirs may lack. */
  readonly optional: RegExp;
  readonly what: string;
}

const partNames: Readonly<Record<NetworkPart, PartNames>> = {
  backbone: {
    at: /^(?:detr\.)?backbone\.0\.body\./,
    prefixes: {},
    optional: /^$/,
    what: "torchvision's or timm's file for this backbone",
  },
  text_encoder: {
    at: /^(?:detr\.)?transformer\.text_encoder\./,
    // Files of language models have the encoder under its name, beside the head that guesses words.
    prefixes: { 'roberta.': '' },
    // Only the contrastive loss reads the pooler, and language models have none.
    optional: /^pooler\.|position_ids$/,
    what: 'the model.safetensors of this text_encoder_type',
  },
};

/**
 * Overwrites the values of one part by those of its makers' file: an image classifier's backbone, a language model's
 * encoder. Heads that the network does not have are left out.
 *
 * @param name path, or what `mdetr pull` calls it
 * @throws {MdetrError} when the file lacks something of the part, or has another shape
 */
export const loadPart = async (values: ParameterStore, part: NetworkPart, name: string): Promise<LoadReport> => {
  const { at, prefixes, optional, what } = partNames[part];
  const own = new Map([...values.keys()].filter((key) => at.test(key)).map((key) => [key.replace(at, ''), key]));
  const checkpoint = await openCheckpoint(await resolveModelPath(name));
  try {
    const expected = [...own].map(([short, key]) => ({ name: short, shape: values.get(key)!.shape }));
    const match = matchStateDict(expected, checkpoint.tensors.values(), { prefixes });
    const missing = match.missing.filter((short) => !optional.test(short));
    if (missing.length > 0 || match.mismatched.length > 0)
      throw new MdetrError(
        `${checkpoint.path}: ${part}_weights must be ${what}: ${describeMatch({ ...match, missing }).replaceAll('\n', '; ')}`,
      );
    for (const { name: short, source } of match.used) {
      const target = values.get(own.get(short)!)!;
      // Of the tables of numbers beside the weights (position ids), ours is right already.
      if (target.data instanceof Float32Array) target.data.set(await checkpoint.tensors.get(source)!.readFloat32());
    }
    return { text: `${checkpoint.path}: ${match.used.length} tensors of the ${part.replace('_', ' ')} loaded` };
  } finally {
    await checkpoint.close();
  }
};
