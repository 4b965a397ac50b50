import { join } from 'node:path';
import * as z from 'zod';
import { readJsonFile } from '../../files/json/json-file.ts';
import { requirePackageFile } from '../../files/package-folder.ts';
import { checked } from '../source/checked.ts';

/** Limits of a model, which captions are made for. */
export interface ModelLimits {
  /** Value of `load` in the config that is written. */
  readonly name: string;
  /** Number of object queries: the most objects that it can find with one caption. */
  readonly maxObjects: number;
  /** Longest caption in tokens. */
  readonly maxTokens: number;
  /** The network is small enough for high learning rates and large batches, as the one of this package. */
  readonly isSmall: boolean;
}

const configSchema = z.looseObject({
  num_queries: z.int().positive().default(100),
  hidden_dim: z.int().positive().default(256),
  text_encoder: z.looseObject({ max_position_embeddings: z.int().positive() }).nullish(),
});
/** Positions of RoBERTa, which configs of official checkpoints do not state. */
const ROBERTA_POSITIONS = 514;
/** Positions of a text encoder that hold no token. */
const RESERVED_POSITIONS = 2;
/** The soft-token head can point at this many tokens, start and end included. */
const MAX_POINTED_TOKENS = 250;

/** Width of the transformer up to which a network counts as small; official ones have 256. */
const MAX_SMALL_WIDTH = 192;

/** Limits of the model of a `config.json`. @throws {MdetrError} if the file cannot be read */
export const modelLimitsOf = (config: unknown, name: string): ModelLimits => {
  const { num_queries: maxObjects, hidden_dim: width, text_encoder: text } = checked(configSchema, config, name);
  const positions = (text?.max_position_embeddings ?? ROBERTA_POSITIONS) - RESERVED_POSITIONS;
  // The tokenizer adds a start and an end.
  return {
    name,
    maxObjects,
    maxTokens: Math.min(MAX_POINTED_TOKENS, positions - 2),
    isSmall: width <= MAX_SMALL_WIDTH,
  };
};

/** Limits of the model that comes with this package. */
export const defaultModelLimits = async (): Promise<ModelLimits> =>
  modelLimitsOf(await readJsonFile(join(requirePackageFile('models/default'), 'config.json')), 'default');
