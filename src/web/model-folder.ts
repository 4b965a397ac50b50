import { parseFolderConfig } from '../model-folder/format-version.ts';
import type { FileSource } from '../checkpoints/byte-source.ts';
import { safetensorsOf } from '../checkpoints/safetensors/safetensors.ts';
import { describeMatch, requireComplete } from '../checkpoints/state-dict.ts';
import { MdetrError, messageOf } from '../errors.ts';
import { MODEL_FILE_NAMES } from '../model-folder/layout.ts';
import {
  defineModel,
  maxTokensOf,
  type ModelDefinition,
  type ModelParts,
  type ModelSource,
} from '../model-folder/model-source.ts';
import { matchParameters, parameterWeights } from '../model-folder/parameters.ts';
import { parsePreprocessing, usualPreprocessing } from '../model-folder/preprocessing.ts';
import { readAnswerVocabulary } from '../postprocess/answer-vocabulary.ts';
import { createTokenizer, createTokenizerFromVocab, type Tokenizer } from '../text/index.ts';
import type { ModelLocation } from './model-location.ts';
import { readWeightFile, requestFile, requireSuccess, type WeightFileOptions } from './weight-cache.ts';

/** Maximum size of weights that are prepared in a page: in float32, with what ONNX Runtime copies, they take three times as much. */
const MAX_WEIGHT_BYTES = 512 * 2 ** 20;

/** Options of reading a model by URL. */
export interface ReadOptions {
  readonly isCached: boolean;
  readonly sha256: string | undefined;
  readonly onDownload: (name: string, loadedBytes: number, totalBytes: number | undefined) => void;
}

/** Reads the small files of a model. */
export class ModelFiles {
  constructor(readonly location: ModelLocation) {}

  /** URL of a file. */
  urlOf(name: string): string {
    return this.location.weights?.[name] ?? new URL(name, this.location.url).href;
  }

  /** Contents of a file; undefined if there is none. */
  async text(name: string): Promise<string | undefined> {
    const { files } = this.location;
    if (files !== undefined) return files[name];
    const url = this.urlOf(name);
    const response = await requestFile(url, name);
    if (response.status === 404 || isPage(response)) return undefined;
    return requireSuccess(response, url, name).text();
  }

  /** Parsed contents of a file; undefined if there is none. @throws {MdetrError} if it is not JSON */
  async json(name: string): Promise<unknown> {
    const text = await this.text(name);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new MdetrError(`${this.urlOf(name)}: is not JSON (${messageOf(error)})`, { cause: error });
    }
  }
}

/** Development servers answer a request for a missing file with their page. */
const isPage = ({ headers }: Response): boolean => (headers.get('content-type') ?? '').startsWith('text/html');

/** Reads everything of a model but its weights. @throws {MdetrError} if a file is missing or broken */
export const readParts = async (files: ModelFiles): Promise<ModelParts> => {
  const { name, url } = files.location;
  const values = await files.json(MODEL_FILE_NAMES.config);
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new MdetrError(
      `${url}: has no ${MODEL_FILE_NAMES.config}, so it is neither a model folder nor an exported folder`,
    );
  const source = files.urlOf(MODEL_FILE_NAMES.config);
  const config = parseFolderConfig(values as Record<string, unknown>, source);
  const preprocessing = await files.json(MODEL_FILE_NAMES.preprocessing);
  const answers = await files.json(MODEL_FILE_NAMES.answers);
  return {
    name,
    config,
    values: values as Record<string, unknown>,
    tokenizer: await readTokenizer(files, maxTokensOf(config)),
    tokenizerSource: url,
    preprocessing:
      preprocessing === undefined
        ? usualPreprocessing(config)
        : parsePreprocessing(preprocessing, files.urlOf(MODEL_FILE_NAMES.preprocessing)),
    answers: answers === undefined ? {} : readAnswerVocabulary(answers, files.urlOf(MODEL_FILE_NAMES.answers)),
  };
};

const readTokenizer = async (files: ModelFiles, maxTokens: number): Promise<Tokenizer> => {
  const json = await files.json('tokenizer.json');
  if (json !== undefined) return createTokenizer(json, { maxTokens, where: files.urlOf('tokenizer.json') });
  const vocab = await files.json('vocab.json');
  const merges = await files.text('merges.txt');
  if (vocab === undefined || merges === undefined)
    throw new MdetrError(`${files.location.url}: has no tokenizer.json, and no vocab.json with merges.txt`);
  return createTokenizerFromVocab(vocab, merges, {
    maxTokens,
    vocabName: files.urlOf('vocab.json'),
    mergesName: files.urlOf('merges.txt'),
  });
};

/**
 * Reads a model folder.
 *
 * @throws {MdetrError} if a file is missing or broken, if the weights do not fit, or if they are too large for a page
 */
export const readModelFolder = async (files: ModelFiles, options: ReadOptions): Promise<ModelSource> => {
  const definition = defineModel(await readParts(files));
  const { url: folder } = files.location;
  checkParameters(definition, folder);
  const name = MODEL_FILE_NAMES.weights;
  const url = files.urlOf(name);
  const { bytes, sha256 } = await readWeightFile(
    { url, name, sha256: options.sha256 },
    downloadOptions(name, options),
  ).catch((error: unknown) => {
    throw new MdetrError(
      `${messageOf(error)}; pages read model.safetensors or an exported folder: run "mdetr convert" or "mdetr export"`,
      { cause: error },
    );
  });
  const file = await safetensorsOf(memorySource(url, bytes));
  const match = matchParameters(definition.model, file);
  requireComplete(match, url);
  return {
    ...definition,
    weights: parameterWeights(definition.model, file.tensors, match, sha256 ?? `unchecked ${url}`),
    report: `${url}: ${describeMatch(match)}`,
    close: () => file.close(),
  };
};

/** Options of downloading one file of a model. */
export const downloadOptions = (name: string, { isCached, onDownload }: ReadOptions): WeightFileOptions => ({
  isCached,
  onProgress: (loaded, total) => onDownload(name, loaded, total),
});

/** Refuses networks that do not fit into a page before anything is downloaded. */
const checkParameters = ({ model }: ModelDefinition, folder: string): void => {
  const bytes = model.registry.specs.reduce(
    (sum, { shape }) => sum + 4 * shape.reduce((product, size) => product * size, 1),
    0,
  );
  if (bytes > MAX_WEIGHT_BYTES)
    throw new MdetrError(
      `${folder}: the weights take ${Math.round(bytes / 2 ** 20)} MiB in float32; a page prepares up to ` +
        `${MAX_WEIGHT_BYTES / 2 ** 20} MiB. Run "mdetr export" and load the exported folder, which needs no preparation`,
    );
};

const memorySource = (name: string, bytes: Uint8Array): FileSource => ({
  name,
  size: bytes.byteLength,
  readInto: (target, position) => {
    target.set(bytes.subarray(position, position + target.byteLength));
    return Promise.resolve();
  },
  close: () => Promise.resolve(),
});
