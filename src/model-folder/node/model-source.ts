import { join } from 'node:path';
import { describeMatch, requireComplete, type Checkpoint, type StateDictMatch } from '../../checkpoints/index.ts';
import { readJsonFile } from '../../files/json-file.ts';
import { ReadBudget } from '../../files/read-budget.ts';
import { readAnswerVocabulary } from '../../postprocess/answer-vocabulary.ts';
import { parseModelConfig, type ModelConfig } from '../../models/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { defineModel, maxTokensOf, untrainedModel, type ModelDefinition, type ModelSource } from '../model-source.ts';
import { matchParameters, parameterWeights } from '../parameters.ts';
import { parsePreprocessing, usualPreprocessing, type Preprocessing } from '../preprocessing.ts';
import { fileDigest } from './file-digest.ts';
import {
  findTokenizer,
  isFile,
  openModelFiles,
  requireConfig,
  type ModelFiles,
  type ModelFilesOptions,
} from './model-files.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';

export interface ModelSourceOptions extends ModelFilesOptions {
  /** Folder or file of the vocabulary, or the name of a pulled one, for a bare checkpoint. */
  readonly tokenizer?: string | undefined;
  /** Path of GQA's answer table, for its question heads. */
  readonly answers?: string | undefined;
}

/** Preprocessing of a model's files; if they do not say, it is what the official code does. */
export const preprocessingOf = (
  { preprocessing }: Pick<ModelFiles, 'preprocessing'>,
  config: ModelConfig,
): Preprocessing =>
  preprocessing === undefined
    ? usualPreprocessing(config)
    : parsePreprocessing(preprocessing.json, preprocessing.source);

/** Reads the `preprocessor_config.json` of a folder; without a file, preprocessing is what the official code does. */
export const readPreprocessing = async (path: string, config: ModelConfig): Promise<Preprocessing> => {
  const json = (await isFile(path)) ? await readJsonFile(path) : undefined;
  return preprocessingOf({ preprocessing: json === undefined ? undefined : { json, source: path } }, config);
};

/** Refuses a network with initial weights that would take more memory than any machine has. */
const checkInitialWeights = ({ model }: ModelDefinition, source: string): void => {
  const budget = new ReadBudget({
    name: source,
    fileBytes: 0,
    what: 'the initial weights of its network',
    floorBytes: 16 * 2 ** 30,
  });
  for (const { shape } of model.registry.specs) budget.charge(4 * shape.reduce((product, size) => product * size, 1));
};

/**
 * Opens a model and checks that its files fit together.
 *
 * @param name a model folder, a `.pth`, a `.safetensors`, or the name of an embedded or pulled model
 * @throws {MdetrError} if a file is missing or broken, or if the weights do not fit the configuration
 */
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
      preprocessing: preprocessingOf(files, config),
      answers: hasAnswers ? readAnswerVocabulary(await readJsonFile(answers), answers) : {},
    });
    if (checkpoint !== undefined) return await withCheckpoint(definition, checkpoint);
    checkInitialWeights(definition, source);
    return untrainedModel(definition, seed!);
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
    weights: parameterWeights(definition.model, checkpoint.tensors, match, await digestOf(checkpoint)),
    report: reportOf(checkpoint, match),
    close: () => checkpoint.close(),
  };
};

/** Digest of the selected weights, over all files that hold them. */
const digestOf = async ({ files, weights }: Checkpoint): Promise<string> =>
  `${(await Promise.all(files.map((path) => fileDigest(path)))).join(' ')} ${weights}`;

const reportOf = (checkpoint: Checkpoint, match: StateDictMatch): string => {
  const which =
    checkpoint.weights === 'ema'
      ? ' (moving average of the weights)'
      : checkpoint.weights === 'model'
        ? ' (last weights, not the moving average)'
        : '';
  return `${checkpoint.path}${which}: ${describeMatch(match)}`;
};
