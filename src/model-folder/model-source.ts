import type { WeightSource } from '../engine/runtime/runtime.ts';
import { MdetrError } from '../errors.ts';
import { initialValue, MdetrNetwork, textEncoderConfig, type ModelConfig } from '../models/index.ts';
import type { AnswerVocabulary } from '../postprocess/answer-vocabulary.ts';
import type { Tokenizer } from '../text/index.ts';
import { calibrationOf, type Calibration } from './calibration.ts';
import type { Precision } from './export-manifest.ts';
import type { Preprocessing } from './preprocessing.ts';

/** All parts of a model, read from its files; the weights are read on demand. */
export interface ModelSource {
  /** The name that the caller gave. */
  readonly name: string;
  /** Official arguments of the network. */
  readonly config: ModelConfig;
  /** The network. */
  readonly model: MdetrNetwork;
  /** Reads weights by name. */
  readonly weights: WeightSource;
  /** Tokenizer of the captions. */
  readonly tokenizer: Tokenizer;
  /** Size and normalization of images. */
  readonly preprocessing: Preprocessing;
  /** Answer tables of the question heads. */
  readonly answers: AnswerVocabulary;
  /** Note of the model folder about what the model can do, if any; shown with results. */
  readonly notice: string | undefined;
  /** Kind of images that the model was trained for, if a model folder has `made_for`; others get a warning. */
  readonly madeFor: 'scenes' | 'photos' | undefined;
  /**
   * Words of the captions that the model was trained on, if a model folder has `words.json`; others get a warning. Undefined
   * for a word-level vocabulary, which has no other words.
   */
  readonly knownWords: ReadonlySet<string> | undefined;
  /** Calibrated threshold and presence, if `mdetr calibrate` measured them. */
  readonly calibration: Calibration | undefined;
  /** Precision in which the loaded programs store the weights; `float32` until they are loaded. */
  readonly dtype: Precision;
  /** Which tensors were loaded, ignored and missing; undefined for initial weights. */
  readonly report: string | undefined;
  /** Closes the weight file. */
  close(): Promise<void>;
}

/** A model without its weights. */
export type ModelDefinition = Omit<ModelSource, 'weights' | 'report' | 'close'>;

/** Parts that define a model, apart from its weights. */
export interface ModelParts {
  readonly name: string;
  readonly config: ModelConfig;
  /** The raw values of the configuration, for keys that are not the network's: `notice`, `made_for`. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer;
  /** Path or name of the tokenizer, for errors. */
  readonly tokenizerSource: string;
  readonly preprocessing: Preprocessing;
  readonly answers: AnswerVocabulary;
  /** Words that the model has seen in training, if they are recorded. */
  readonly knownWords?: ReadonlySet<string> | undefined;
}

/** Maximum number of tokens that the text encoder of a configuration reads, special tokens included. */
export const maxTokensOf = (config: ModelConfig): number => textEncoderConfig(config).max_position_embeddings - 2;

/**
 * Combines the parts of a model, without its network.
 *
 * @throws {MdetrError} if the tokenizer has more tokens than the text encoder
 */
export const combineParts = ({
  name,
  config,
  values,
  tokenizer,
  ...parts
}: ModelParts): Omit<ModelDefinition, 'model'> => {
  const { vocab_size: vocabulary } = textEncoderConfig(config);
  if (tokenizer.vocabSize > vocabulary)
    throw new MdetrError(
      `${parts.tokenizerSource}: has ${tokenizer.vocabSize} tokens, but the model's embedding has ${vocabulary} rows; is it another model's vocabulary?`,
    );
  const { notice, made_for: madeFor } = values;
  return {
    name,
    config,
    tokenizer,
    preprocessing: parts.preprocessing,
    answers: parts.answers,
    notice: typeof notice === 'string' ? notice : undefined,
    madeFor: madeFor === 'scenes' || madeFor === 'photos' ? madeFor : undefined,
    dtype: 'float32',
    knownWords: parts.knownWords,
    calibration: calibrationOf(values, name),
  };
};

/** Builds the network of a configuration. Throws as `combineParts` does. */
export const defineModel = (parts: ModelParts): ModelDefinition => ({
  ...combineParts(parts),
  model: new MdetrNetwork(parts.config),
});

/** A model with initial weights drawn from a seed. */
export const untrainedModel = (definition: ModelDefinition, seed: number): ModelSource => ({
  ...definition,
  weights: {
    digest: `untrained ${seed} ${JSON.stringify(definition.config)}`,
    read: (name) => Promise.resolve(initialValue(definition.model.registry.get(name)!, seed)),
  },
  report: undefined,
  close: () => Promise.resolve(),
});
