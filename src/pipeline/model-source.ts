import { access, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import {
  describeMatch,
  matchStateDict,
  openCheckpoint,
  requireComplete,
  type Checkpoint,
  type StateDictMatch,
} from '../checkpoints/index.ts';
import { MdetrError, messageOf } from '../errors.ts';
import { readAnswerVocabulary, type AnswerVocabulary } from '../evaluation/answer-vocabulary.ts';
import { initialValue, Mdetr, parseModelConfig, textEncoderConfig, type ModelConfig } from '../models/index.ts';
import { cacheFolder } from '../runtime/node/program-cache.ts';
import type { WeightSource } from '../runtime/runtime.ts';
import type { Tokenizer } from '../text/index.ts';
import { loadTokenizer } from '../text/tokenizer-files.ts';
import { fileDigest } from './file-digest.ts';

/** How pictures are brought to the size that a model was trained on: Hugging Face's `preprocessor_config.json`. */
export interface Preprocessing {
  /** The shorter side becomes this … */
  readonly shortestEdge: number;
  /** … unless the longer one would exceed this. */
  readonly longestEdge: number;
}

/** The official validation transform. */
const officialPreprocessing: Preprocessing = { shortestEdge: 800, longestEdge: 1333 };

export interface ModelSourceOptions {
  /** Vocabulary files for a bare checkpoint. */
  readonly tokenizer?: string;
  /** A JSON file with the official arguments, for a weight file that carries none. */
  readonly config?: string;
  /** Which weights of a training checkpoint: the moving average by default where there is one. */
  readonly weights?: 'model' | 'ema';
  /** GQA's answer table, for its question heads. */
  readonly answers?: string;
}

/** Everything that a model is made of, found and read; weights are still on disk. */
export interface ModelSource {
  /** As the user named it. */
  readonly name: string;
  readonly config: ModelConfig;
  readonly model: Mdetr;
  readonly weights: WeightSource;
  readonly tokenizer: Tokenizer;
  readonly preprocessing: Preprocessing;
  readonly answers: AnswerVocabulary;
  /** What the model folder says about what the model can do, if anything: shown with results. */
  readonly notice: string | undefined;
  /** What was loaded, left out and missing; undefined for untrained weights. */
  readonly report: string | undefined;
  close(): Promise<void>;
}

const modelsFolder = fileURLToPath(new URL('../../models/', import.meta.url));

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** A path stays as it is; a plain name is looked for among the embedded models and the pulled ones. */
export const resolveModelPath = async (name: string): Promise<string> => {
  if (await exists(name)) return name;
  const isName = /^[\w.-]+$/.test(name);
  const candidates = isName ? [join(modelsFolder, name), join(cacheFolder(), 'models', name)] : [];
  for (const candidate of candidates) if (await exists(candidate)) return candidate;
  throw new MdetrError(
    isName
      ? `model "${name}" is neither a file or folder here, nor embedded, nor among the pulled ones in ${join(cacheFolder(), 'models')}`
      : `${name}: there is no such model file or folder`,
  );
};

const readJson = async (path: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    throw new MdetrError(`${path}: cannot be read as JSON: ${messageOf(error)}`, { cause: error });
  }
};

const recordSchema = z.record(z.string(), z.unknown());

const readRecord = async (path: string): Promise<Record<string, unknown>> => {
  const parsed = recordSchema.safeParse(await readJson(path));
  if (!parsed.success) throw new MdetrError(`${path}: must hold a JSON object`);
  return parsed.data;
};

const side = z.number().int().min(16).max(4096);
const preprocessorSchema = z.object({ size: z.object({ shortest_edge: side, longest_edge: side }) });

const readPreprocessing = async (path: string): Promise<Preprocessing> => {
  if (!(await isFile(path))) return officialPreprocessing;
  const parsed = preprocessorSchema.safeParse(await readJson(path));
  if (!parsed.success)
    throw new MdetrError(`${path}: needs "size": {"shortest_edge", "longest_edge"} as whole numbers of pixels`);
  return { shortestEdge: parsed.data.size.shortest_edge, longestEdge: parsed.data.size.longest_edge };
};

/** Finds and reads a model: a model folder, a `.pth`, a `.safetensors`, or a name. Throws `MdetrError`. */
export const openModelSource = async (name: string, options: ModelSourceOptions = {}): Promise<ModelSource> => {
  const path = await resolveModelPath(name);
  return (await isFolder(path)) ? openFolder(name, path, options) : openWeightFile(name, path, options);
};

const openFolder = async (name: string, folder: string, options: ModelSourceOptions): Promise<ModelSource> => {
  const configPath = options.config ?? join(folder, 'config.json');
  if (!(await isFile(configPath))) throw new MdetrError(`${folder}: no config.json, so no model folder`);
  const values = await readRecord(configPath);
  const weightsPath = join(folder, 'model.safetensors');
  const seed = values['init_seed'];
  const rest = {
    name,
    values,
    configPath,
    tokenizer: options.tokenizer ?? folder,
    preprocessing: await readPreprocessing(join(folder, 'preprocessor_config.json')),
    answers: options.answers ?? join(folder, 'answers.json'),
    answersRequired: options.answers !== undefined,
  };
  if (!(await isFile(weightsPath)) && typeof seed === 'number') return untrained(rest, seed);
  return withCheckpoint(rest, await openCheckpoint(weightsPath, { weights: options.weights }));
};

const openWeightFile = async (name: string, path: string, options: ModelSourceOptions): Promise<ModelSource> => {
  const checkpoint = await openCheckpoint(path, { weights: options.weights });
  try {
    const beside = join(dirname(path), 'config.json');
    const configPath = options.config ?? (checkpoint.args === undefined && (await isFile(beside)) ? beside : undefined);
    const values = configPath === undefined ? checkpoint.args : await readRecord(configPath);
    if (values === undefined) {
      throw new MdetrError(
        `${path}: the file does not say what network it is for; give its official arguments as JSON with --config FILE`,
      );
    }
    const config = parseModelConfig(values, configPath ?? `${path}: args`);
    return await withCheckpoint(
      {
        name,
        values,
        configPath: configPath ?? `${path}: args`,
        tokenizer: options.tokenizer ?? (await findTokenizer(dirname(path), config)),
        preprocessing: await readPreprocessing(join(dirname(path), 'preprocessor_config.json')),
        answers: options.answers ?? join(dirname(path), 'answers.json'),
        answersRequired: options.answers !== undefined,
      },
      checkpoint,
    );
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
};

/** RoBERTa's vocabulary: beside the checkpoint, or where `mdetr pull` puts it. */
const findTokenizer = async (folder: string, config: ModelConfig): Promise<string> => {
  const pulled = join(cacheFolder(), 'tokenizers');
  for (const candidate of [folder, join(pulled, config.text_encoder_type), join(pulled, 'roberta-base')]) {
    if ((await isFile(join(candidate, 'tokenizer.json'))) || (await isFile(join(candidate, 'merges.txt'))))
      return candidate;
  }
  throw new MdetrError(
    `no vocabulary for ${config.text_encoder_type}: name a folder with tokenizer.json, or vocab.json and merges.txt, by --tokenizer DIR`,
  );
};

interface Parts {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly configPath: string;
  readonly tokenizer: string;
  readonly preprocessing: Preprocessing;
  readonly answers: string;
  readonly answersRequired: boolean;
}

const assemble = async (parts: Parts): Promise<Omit<ModelSource, 'weights' | 'report' | 'close'>> => {
  const config = parseModelConfig(parts.values, parts.configPath);
  const { max_position_embeddings: positions, vocab_size: vocabulary } = textEncoderConfig(config);
  const tokenizer = await loadTokenizer(parts.tokenizer, { maxTokens: positions - 2 });
  if (tokenizer.vocabSize > vocabulary) {
    throw new MdetrError(
      `${parts.tokenizer}: has ${tokenizer.vocabSize} tokens, but the model's table has ${vocabulary} rows: another model's vocabulary?`,
    );
  }
  const hasAnswers = parts.answersRequired || (await isFile(parts.answers));
  const { notice } = parts.values;
  return {
    name: parts.name,
    config,
    model: new Mdetr(config),
    tokenizer,
    preprocessing: parts.preprocessing,
    answers: hasAnswers ? readAnswerVocabulary(await readJson(parts.answers), parts.answers) : {},
    notice: typeof notice === 'string' ? notice : undefined,
  };
};

const withCheckpoint = async (parts: Parts, checkpoint: Checkpoint): Promise<ModelSource> => {
  try {
    const assembled = await assemble(parts);
    const match = matchParameters(assembled.model, checkpoint);
    requireComplete(match, checkpoint.path);
    return {
      ...assembled,
      weights: await checkpointWeights(assembled.model, checkpoint, match),
      report: reportOf(checkpoint, match),
      close: () => checkpoint.close(),
    };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
};

/** How a checkpoint fits a model. `position_ids` is a table of 0, 1, 2, … that nothing reads, so it may be missing. */
const matchParameters = (model: Mdetr, checkpoint: Checkpoint): StateDictMatch =>
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
  model: Mdetr,
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

const untrained = async (parts: Parts, seed: number): Promise<ModelSource> => {
  const assembled = await assemble(parts);
  const { model } = assembled;
  return {
    ...assembled,
    weights: {
      digest: `untrained ${seed} ${JSON.stringify(assembled.config)}`,
      read: (name) => Promise.resolve(initialValue(model.registry.get(name)!, seed)),
    },
    report: undefined,
    close: () => Promise.resolve(),
  };
};
