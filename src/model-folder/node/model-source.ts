import { join } from 'node:path';
import { z } from 'zod';
import {
  describeMatch,
  matchStateDict,
  requireComplete,
  type Checkpoint,
  type StateDictMatch,
} from '../../checkpoints/index.ts';
import { MdetrError } from '../../errors.ts';
import { readAnswerVocabulary, type AnswerVocabulary } from '../../postprocess/answer-vocabulary.ts';
import { initialValue, Mdetr, parseModelConfig, textEncoderConfig, type ModelConfig } from '../../models/index.ts';
import type { WeightSource } from '../../engine/runtime/runtime.ts';
import type { Tokenizer } from '../../text/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { fileDigest } from './file-digest.ts';
import {
  findTokenizer,
  isFile,
  modelFileNames,
  openModelFiles,
  readJson,
  requireConfig,
  type ModelFilesOptions,
} from './model-files.ts';

/** How pictures are brought to the size that a model was trained on: Hugging Face's `preprocessor_config.json`. */
export interface Preprocessing {
  /** The shorter side becomes this … */
  readonly shortestEdge: number;
  /** … unless the longer one would exceed this. */
  readonly longestEdge: number;
}

/** The official validation transform. */
export const officialPreprocessing: Preprocessing = { shortestEdge: 800, longestEdge: 1333 };

/** CLEVR's pictures are all of this size, and the official code does not resize them. */
const clevrPreprocessing: Preprocessing = { shortestEdge: 320, longestEdge: 480 };

/** What the official code does for the data sets that a model was trained on. */
const usualPreprocessing = ({ combine_datasets: datasets }: ModelConfig): Preprocessing =>
  datasets.length > 0 && datasets.every((name) => name.startsWith('clevr'))
    ? clevrPreprocessing
    : officialPreprocessing;

export interface ModelSourceOptions extends ModelFilesOptions {
  /** Vocabulary files for a bare checkpoint. */
  readonly tokenizer?: string;
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
  /** The only pictures that the model knows, where a model folder says so (`made_for`): others get a warning. */
  readonly madeFor: 'scenes' | undefined;
  /** What was loaded, left out and missing; undefined for untrained weights. */
  readonly report: string | undefined;
  close(): Promise<void>;
}

const side = z.number().int().min(16).max(4096);
const preprocessorSchema = z.object({ size: z.object({ shortest_edge: side, longest_edge: side }) });

/** What a model folder's file says; without one, as the official code does. */
export const readPreprocessing = async (path: string, config: ModelConfig): Promise<Preprocessing> => {
  if (!(await isFile(path))) return usualPreprocessing(config);
  const parsed = preprocessorSchema.safeParse(await readJson(path));
  if (!parsed.success)
    throw new MdetrError(`${path}: needs "size": {"shortest_edge", "longest_edge"} as whole numbers of pixels`);
  return { shortestEdge: parsed.data.size.shortest_edge, longestEdge: parsed.data.size.longest_edge };
};

/** Finds and reads a model: a model folder, a `.pth`, a `.safetensors`, or a name. Throws `MdetrError`. */
export const openModelSource = async (name: string, options: ModelSourceOptions = {}): Promise<ModelSource> => {
  const files = await openModelFiles(name, options);
  try {
    const { values, source } = requireConfig(files);
    const { folder, checkpoint, seed } = files;
    const config = parseModelConfig(values, source);
    const assembled = await assemble({
      name,
      config,
      notice: values['notice'],
      madeFor: values['made_for'],
      tokenizer: await findTokenizer(folder, config.text_encoder_type, options.tokenizer),
      preprocessing: await readPreprocessing(join(folder, modelFileNames.preprocessing), config),
      answers: options.answers ?? join(folder, modelFileNames.answers),
      answersRequired: options.answers !== undefined,
    });
    return checkpoint === undefined ? untrained(assembled, seed!) : await withCheckpoint(assembled, checkpoint);
  } catch (error) {
    await files.close();
    throw error;
  }
};

interface Parts {
  readonly name: string;
  readonly config: ModelConfig;
  readonly notice: unknown;
  readonly madeFor: unknown;
  readonly tokenizer: string;
  readonly preprocessing: Preprocessing;
  readonly answers: string;
  readonly answersRequired: boolean;
}

type Assembled = Omit<ModelSource, 'weights' | 'report' | 'close'>;

const assemble = async ({ name, config, notice, madeFor, preprocessing, ...parts }: Parts): Promise<Assembled> => {
  const { max_position_embeddings: positions, vocab_size: vocabulary } = textEncoderConfig(config);
  const tokenizer = await loadTokenizer(parts.tokenizer, { maxTokens: positions - 2 });
  if (tokenizer.vocabSize > vocabulary) {
    throw new MdetrError(
      `${parts.tokenizer}: has ${tokenizer.vocabSize} tokens, but the model's table has ${vocabulary} rows: another model's vocabulary?`,
    );
  }
  const hasAnswers = parts.answersRequired || (await isFile(parts.answers));
  return {
    name,
    config,
    model: new Mdetr(config),
    tokenizer,
    preprocessing,
    answers: hasAnswers ? readAnswerVocabulary(await readJson(parts.answers), parts.answers) : {},
    notice: typeof notice === 'string' ? notice : undefined,
    madeFor: madeFor === 'scenes' ? madeFor : undefined,
  };
};

const withCheckpoint = async (assembled: Assembled, checkpoint: Checkpoint): Promise<ModelSource> => {
  const match = matchParameters(assembled.model, checkpoint);
  requireComplete(match, checkpoint.path);
  return {
    ...assembled,
    weights: await checkpointWeights(assembled.model, checkpoint, match),
    report: reportOf(checkpoint, match),
    close: () => checkpoint.close(),
  };
};

/** How a checkpoint fits a model. `position_ids` is a table of 0, 1, 2, … that nothing reads, so it may be missing. */
export const matchParameters = (model: Mdetr, checkpoint: Checkpoint): StateDictMatch =>
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

const untrained = (assembled: Assembled, seed: number): ModelSource => ({
  ...assembled,
  weights: {
    digest: `untrained ${seed} ${JSON.stringify(assembled.config)}`,
    read: (name) => Promise.resolve(initialValue(assembled.model.registry.get(name)!, seed)),
  },
  report: undefined,
  close: () => Promise.resolve(),
});
