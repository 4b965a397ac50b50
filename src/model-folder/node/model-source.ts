import { parseFolderConfig } from '../format-version.ts';
import { join } from 'node:path';
import { describeMatch, requireComplete, type Checkpoint, type StateDictMatch } from '../../checkpoints/index.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { ReadBudget } from '../../files/read-budget.ts';
import { readAnswerVocabulary } from '../../postprocess/answer-vocabulary.ts';
import { type ModelConfig } from '../../models/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import {
  defineModel,
  maxTokensOf,
  untrainedModel,
  type ModelDefinition,
  type ModelParts,
  type ModelSource,
} from '../model-source.ts';
import { matchParameters, parameterWeights } from '../parameters.ts';
import { parsePreprocessing, usualPreprocessing, type Preprocessing } from '../preprocessing.ts';
import { fileDigest } from './file-digest.ts';
import { recordedWords } from './known-words.ts';
import {
  findTokenizer,
  isFile,
  openModelFiles,
  requireConfig,
  type ModelFiles,
  type ModelFilesOptions,
} from './model-files.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';

/** Options of opening a model. */
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

/** Files of a model other than its weights. */
export interface CompanionFiles {
  /** Folder or file of the vocabulary. */
  readonly tokenizer: string;
  /** Table of GQA's answers; undefined if there is none. */
  readonly answers: string | undefined;
}

/**
 * Reads the parts of a model that define it, and tells where they are.
 *
 * @throws {MdetrError} if a file is missing or broken
 */
export const readModelParts = async (
  name: string,
  files: Pick<ModelFiles, 'config' | 'path' | 'folder' | 'preprocessing'>,
  options: Pick<ModelSourceOptions, 'tokenizer' | 'answers'>,
): Promise<{ readonly parts: ModelParts; readonly companions: CompanionFiles }> => {
  const { values, source } = requireConfig(files);
  const { folder } = files;
  const config = parseFolderConfig(values, source);
  const tokenizerSource = await findTokenizer(folder, config.text_encoder_type, options.tokenizer);
  const answersPath = options.answers ?? join(folder, MODEL_FILE_NAMES.answers);
  const answers = options.answers !== undefined || (await isFile(answersPath)) ? answersPath : undefined;
  const parts: ModelParts = {
    name,
    config,
    values,
    tokenizer: await loadTokenizer(tokenizerSource, { maxTokens: maxTokensOf(config) }),
    tokenizerSource,
    preprocessing: preprocessingOf(files, config),
    answers: answers === undefined ? {} : readAnswerVocabulary(await readJsonFile(answers), answers),
    knownWords: await recordedWords(folder),
  };
  return { parts, companions: { tokenizer: tokenizerSource, answers } };
};

/** A model with the files that it was read from. */
export interface OpenedModel {
  readonly source: ModelSource;
  /** All values of the configuration file, those that are not the network's included. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly companions: CompanionFiles;
  /** Path of the model folder or weight file. */
  readonly path: string;
  readonly isFolder: boolean;
}

/** Opens a model as `openModelSource` does, and tells which files it was read from. */
export const openModelWithFiles = async (name: string, options: ModelSourceOptions = {}): Promise<OpenedModel> => {
  const files = await openModelFiles(name, options);
  try {
    const { checkpoint, seed, path, isFolder } = files;
    const { source: configSource } = requireConfig(files);
    const { parts, companions } = await readModelParts(name, files, options);
    const definition = defineModel(parts);
    const opened = { values: parts.values, companions, path, isFolder };
    if (checkpoint !== undefined) return { source: await withCheckpoint(definition, checkpoint), ...opened };
    checkInitialWeights(definition, configSource);
    return { source: untrainedModel(definition, seed!), ...opened };
  } catch (error) {
    await files.close();
    throw error;
  }
};

/**
 * Opens a model and checks that its files fit together.
 *
 * @param name a model folder, a `.pth`, a `.safetensors`, or the name of an embedded or pulled model
 * @throws {MdetrError} if a file is missing or broken, or if the weights do not fit the configuration
 */
export const openModelSource = async (name: string, options: ModelSourceOptions = {}): Promise<ModelSource> =>
  (await openModelWithFiles(name, options)).source;

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
