import { join } from 'node:path';
import {
  describeMatch,
  matchStateDict,
  requireComplete,
  type Checkpoint,
  type StateDictMatch,
} from '../../checkpoints/index.ts';
import { readJsonFile } from '../../files/json-file.ts';
import { readAnswerVocabulary } from '../../postprocess/answer-vocabulary.ts';
import { parseModelConfig, type MdetrNetwork, type ModelConfig } from '../../models/index.ts';
import type { WeightSource } from '../../engine/runtime/runtime.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { defineModel, maxTokensOf, untrainedModel, type ModelDefinition, type ModelSource } from '../model-source.ts';
import { parsePreprocessing, usualPreprocessing, type Preprocessing } from '../preprocessing.ts';
import { fileDigest } from './file-digest.ts';
import { findTokenizer, isFile, openModelFiles, requireConfig, type ModelFilesOptions } from './model-files.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';

export interface ModelSourceOptions extends ModelFilesOptions {
  /** Vocabulary files for a bare checkpoint. */
  readonly tokenizer?: string | undefined;
  /** GQA's answer table, for its question heads. */
  readonly answers?: string | undefined;
}

/** Reads a model folder's preprocessing; without a file, it is what the official code does. */
export const readPreprocessing = async (path: string, config: ModelConfig): Promise<Preprocessing> =>
  (await isFile(path)) ? parsePreprocessing(await readJsonFile(path), path) : usualPreprocessing(config);

/** Finds and reads a model: a model folder, a `.pth`, a `.safetensors`, or a name. Throws `MdetrError`. */
export const openModelSource = async (name: string, options: ModelSourceOptions = {}): Promise<ModelSource> => {
  const files = await openModelFiles(name, options);
  try {
    const { values, source } = requireConfig(files);
    const { folder, checkpoint, seed } = files;
    const config = parseModelConfig(values, source);
    const tokenizerSource = await findTokenizer(folder, config.text_encoder_type, options.tokenizer);
    const answers = options.answers ?? join(folder, MODEL_FILE_NAMES.answers);
    const hasAnswers = options.answers !== undefined || (await isFile(answers));
    const definition = defineModel({
      name,
      config,
      values,
      tokenizer: await loadTokenizer(tokenizerSource, { maxTokens: maxTokensOf(config) }),
      tokenizerSource,
      preprocessing: await readPreprocessing(join(folder, MODEL_FILE_NAMES.preprocessing), config),
      answers: hasAnswers ? readAnswerVocabulary(await readJsonFile(answers), answers) : {},
    });
    return checkpoint === undefined ? untrainedModel(definition, seed!) : await withCheckpoint(definition, checkpoint);
  } catch (error) {
    await files.close();
    throw error;
  }
};

const withCheckpoint = async (definition: ModelDefinition, checkpoint: Checkpoint): Promise<ModelSource> => {
  const match = matchParameters(definition.model, checkpoint);
  requireComplete(match, checkpoint.path);
  return {
    ...definition,
    weights: await checkpointWeights(definition.model, checkpoint, match),
    report: reportOf(checkpoint, match),
    close: () => checkpoint.close(),
  };
};

/** How a checkpoint fits a model. `position_ids` is a table of 0, 1, 2, … that nothing reads, so it may be missing. */
export const matchParameters = (model: MdetrNetwork, checkpoint: Checkpoint): StateDictMatch =>
  matchStateDict(
    model.registry.specs.filter((spec) => !spec.name.endsWith('position_ids')),
    checkpoint.tensors.values(),
  );

const reportOf = (checkpoint: Checkpoint, match: StateDictMatch): string => {
  const which =
    checkpoint.weights === 'ema'
      ? ' (moving average of the weights)'
      : checkpoint.weights === 'model'
        ? ' (last weights, not the moving average)'
        : '';
  return `${checkpoint.path}${which}: ${describeMatch(match)}`;
};

const checkpointWeights = async (
  model: MdetrNetwork,
  checkpoint: Checkpoint,
  match: StateDictMatch,
): Promise<WeightSource> => {
  const sourceOf = new Map(match.used.map(({ name, source }) => [name, source]));
  return {
    digest: `${await fileDigest(checkpoint.path)} ${checkpoint.weights}`,
    async read(name) {
      const entry = checkpoint.tensors.get(sourceOf.get(name) ?? '');
      const spec = model.registry.get(name);
      if (entry === undefined || spec === undefined) throw new Error(`internal: no weights for "${name}"`);
      return { dtype: 'float32', shape: spec.shape, data: await entry.readFloat32() };
    },
  };
};
