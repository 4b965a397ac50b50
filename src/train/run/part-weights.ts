import { describeMatch, matchStateDict, openCheckpoint } from '../../checkpoints/index.ts';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { MdetrError } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { tokenizerJsonPath } from '../../model-folder/node/known-words.ts';
import { resolveModelPath } from '../../model-folder/node/model-files.ts';
import type { LoadReport, ParameterStore } from '../step/parameters.ts';

/** Parts of the network for which pre-trained weights exist. */
export type NetworkPart = 'backbone' | 'text_encoder';

interface PartNames {
  /** Prefix of the part's parameters in the network. */
  readonly at: RegExp;
  /** Prefixes of the names in published files, and their replacements. */
  readonly prefixes: Readonly<Record<string, string>>;
  /** Parameters that published files may lack. */
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
    // Files of language models have the encoder below its name, beside the language-modeling head.
    prefixes: { 'roberta.': '' },
    // Only the contrastive loss uses the pooler, and language models have none.
    optional: /^pooler\.|position_ids$/,
    what: 'the model.safetensors of this text_encoder_type',
  },
};

/**
 * Overwrites the values of one part with those of a published file: an image classifier's backbone, a language model's
 * encoder. Heads that the network does not have are ignored.
 *
 * @param name path, or name of a pulled file
 * @throws {MdetrError} if the file lacks a parameter of the part, or has another shape
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
      // Integer buffers (position ids) keep their own values.
      if (target.data instanceof Float32Array) target.data.set(await checkpoint.tensors.get(source)!.readFloat32());
    }
    return { text: `${checkpoint.path}: ${match.used.length} tensors of the ${part.replace('_', ' ')} loaded` };
  } finally {
    await checkpoint.close();
  }
};

/** Parameter of the pre-trained word vectors, with or without masks. */
const wordVectorsAt = /^(?:detr\.)?transformer\.text_encoder\.embeddings\.pretrained_embeddings\.weight$/;

/**
 * Overwrites the pre-trained word vectors with those of a file: a tensor `vectors` with a row for each token, and the
 * SHA-256 of the vocabulary that it belongs to.
 *
 * @param path file that `npm run words` makes
 * @param vocabulary folder of the run's `tokenizer.json`
 * @throws {MdetrError} if the network has no such vectors, or the file belongs to another vocabulary
 */
export const loadWordVectors = async (
  values: ParameterStore,
  path: string,
  vocabulary: string,
): Promise<LoadReport> => {
  const target = [...values].find(([name]) => wordVectorsAt.test(name))?.[1];
  if (target === undefined)
    throw new MdetrError(
      'word_vectors needs a text encoder with pre-trained vectors: set text_encoder.pretrained_size',
    );
  if (!existsSync(path))
    throw new MdetrError(`word_vectors: ${path}: no such file; npm run words makes the one of the shipped configs`);
  const checkpoint = await openCheckpoint(path);
  try {
    const vectors = checkpoint.tensors.get('vectors');
    if (vectors === undefined) throw new MdetrError(`${checkpoint.path}: has no tensor "vectors"`);
    if (vectors.shape.join() !== target.shape.join())
      throw new MdetrError(
        `${checkpoint.path}: vectors has shape [${vectors.shape.join(', ')}], the text encoder needs ` +
          `[${target.shape.join(', ')}] (vocab_size, pretrained_size)`,
      );
    const digest = vocabularyDigest(await readJsonFile(tokenizerJsonPath(vocabulary)));
    if (checkpoint.metadata['vocabulary_sha256'] !== digest)
      throw new MdetrError(
        `${checkpoint.path}: was made for another tokenizer.json than that of ${vocabulary}; run npm run words again`,
      );
    (target.data as Float32Array).set(await vectors.readFloat32());
    return { text: `${checkpoint.path}: ${target.shape[0]!} word vectors loaded` };
  } finally {
    await checkpoint.close();
  }
};

/** SHA-256 of the tokens and ids of a parsed `tokenizer.json`. */
export const vocabularyDigest = (file: unknown): string => {
  const { vocab } = (file as { readonly model: { readonly vocab: Readonly<Record<string, number>> } }).model;
  const tokens = Object.entries(vocab).sort((a, b) => a[1] - b[1]);
  return createHash('sha256').update(JSON.stringify(tokens)).digest('hex');
};
