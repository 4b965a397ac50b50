import { join } from 'node:path';
import type { Runtime } from '../../engine/runtime/runtime.ts';
import { MdetrError, quoted } from '../../errors.ts';
import type { LossConfig } from '../../losses/index.ts';
import { tokenizerJsonPath } from '../../model-folder/node/known-words.ts';
import { findTokenizer, isFile, resolveModelPath } from '../../model-folder/node/model-files.ts';
import { MdetrNetwork, textEncoderConfig, type ModelConfig } from '../../models/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { AuxiliaryHeads } from '../auxiliary/auxiliary-heads.ts';
import type { DataConfig } from '../config/data-settings.ts';
import type {
  AuxiliaryConfig,
  InitializationConfig,
  OptimizerSettings,
  RunConfig,
  ScheduleConfig,
} from '../config/run-settings.ts';
import type { Communicator } from '../parallel/communicator.ts';
import { BackboneStep } from '../step/backbone-step.ts';
import {
  initialParameters,
  initialValues,
  loadParameters,
  trainableBy,
  type ParameterStore,
} from '../step/parameters.ts';
import { Trainer } from '../step/trainer.ts';
import type { TrainerOptions } from '../step/trainer-options.ts';
import { loadPart, loadWordVectors } from './part-weights.ts';
import { LAST_FOLDER } from './run-folder.ts';
import { readRunState } from './run-state.ts';

/**
 * Finds the folder of the vocabulary files: `tokenizer` of the config, or else that of the model `load`.
 *
 * @throws {MdetrError} if there is none
 */
export const findVocabulary = async (
  config: Pick<DataConfig & InitializationConfig & ModelConfig, 'tokenizer' | 'load' | 'text_encoder_type'>,
): Promise<string> => {
  if (config.tokenizer !== undefined) {
    const found = await findTokenizer('.', config.text_encoder_type, config.tokenizer);
    // Anything but a pulled vocabulary is a path, or a model that has one.
    return found === config.tokenizer ? resolveModelPath(found) : found;
  }
  const from = config.load === '' ? '.' : await resolveModelPath(config.load);
  try {
    return await findTokenizer(from, config.text_encoder_type);
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    throw new MdetrError(
      `no vocabulary for text_encoder_type ${quoted(config.text_encoder_type)}: name a folder with tokenizer.json, or ` +
        'vocab.json and merges.txt, as "tokenizer" in the config (--set tokenizer=DIR)',
      { cause: error },
    );
  }
};

/**
 * Finds the vocabulary of a run, as `findVocabulary` does. A resumed run whose vocabulary has been replaced by a larger one,
 * such as that of the embedded model in another version of this package, continues with that of its last model.
 *
 * @throws {MdetrError} if there is none, or if it has more tokens than the text encoder
 */
export const vocabularyOfRun = async (
  config: DataConfig & InitializationConfig & ModelConfig & RunConfig,
  resumes: boolean,
): Promise<string> => {
  const found = await findVocabulary(config);
  const { vocab_size: rows, max_position_embeddings: positions } = textEncoderConfig(config);
  const { vocabSize } = await loadTokenizer(found, { maxTokens: positions - 2 });
  if (vocabSize <= rows) return found;
  const own = join(config.output_dir, LAST_FOLDER);
  if (resumes && (await isFile(tokenizerJsonPath(own)))) return own;
  throw new MdetrError(
    `${found}: has ${vocabSize} tokens, but text_encoder.vocab_size is ${rows}: name the vocabulary of this network as ` +
      '"tokenizer" in the config (--set tokenizer=DIR)',
  );
};

/** The network and its initial parameter values, before a resumed run restores its own. */
export interface StartingPoint {
  readonly model: MdetrNetwork;
  readonly auxiliary: AuxiliaryHeads | undefined;
  readonly parameters: ParameterStore;
}

/**
 * Builds the network and its initial values: random ones, overwritten by those of an earlier training stage, or else of
 * `backbone_weights`, `text_encoder_weights`, `word_vectors` and `load`; and by `frozen_weights`.
 *
 * @param startFrom state file of the earlier training stage
 */
export const startingPoint = async (
  config: ModelConfig & InitializationConfig & DataConfig & AuxiliaryConfig & OptimizerSettings & RunConfig,
  startFrom: string | undefined,
  onNote: (text: string) => void,
): Promise<StartingPoint> => {
  const model = new MdetrNetwork(config);
  const seed = config.init_seed ?? config.seed;
  const parameters = initialParameters(model, seed);
  const auxiliary = AuxiliaryHeads.of(config, model.backboneChannels);
  if (auxiliary !== undefined)
    for (const [name, value] of initialValues(auxiliary.registry.specs, seed)) parameters.set(name, value);
  for (const part of ['backbone', 'text_encoder'] as const) {
    const path = config[`${part}_weights`];
    if (startFrom === undefined && path !== '') onNote((await loadPart(parameters, part, path)).text);
  }
  if (startFrom === undefined && config.word_vectors !== '')
    onNote((await loadWordVectors(parameters, config.word_vectors, await findVocabulary(config))).text);
  if (startFrom !== undefined) {
    const { trainer } = await readRunState(startFrom);
    const values = new Map([...trainer.parameters, ...(trainer.average ?? [])]);
    for (const [name, value] of values) takeOver(parameters, name, value.data as Float32Array);
  }
  // `load` is for the first training stage only.
  for (const path of [config.frozen_weights, startFrom === undefined ? config.load : undefined]) {
    if (path === undefined || path === '') continue;
    const { text } = await loadParameters(parameters, path);
    onNote(text);
  }
  return { model, auxiliary, parameters };
};

/**
 * Copies a parameter of an earlier training stage, if this stage has it: a network with masks has its detector below `detr.`,
 * one without does not.
 */
export const takeOver = (parameters: ParameterStore, name: string, data: Float32Array): void => {
  const names = [name, `detr.${name}`, ...(name.startsWith('detr.') ? [name.slice('detr.'.length)] : [])];
  const own = names.map((candidate) => parameters.get(candidate)).find((value) => value !== undefined);
  if (own?.data.length === data.length) (own.data as Float32Array).set(data);
};

/** Creates the trainer of a config. */
export const createTrainer = async (
  config: LossConfig & InitializationConfig & DataConfig & OptimizerSettings & ScheduleConfig & RunConfig,
  { model, auxiliary, parameters }: StartingPoint,
  runtime: Runtime,
  stepsPerEpoch: number,
  communicator: Communicator,
): Promise<Trainer> => {
  const decays = (name: string): boolean => parameters.get(name)!.shape.length > 1;
  const isTrainable = trainableBy(model, config);
  const options: TrainerOptions = {
    schedule: config,
    ratesSet: config.adjust_lr,
    optimizer: {
      optimizer: config.optimizer,
      muon_lr_factor: config.muon_lr_factor,
      weight_decay: config.weight_decay,
      decays: config.weight_decay_params === 'matrices' ? decays : undefined,
    },
    clipMaxNorm: config.clip_max_norm,
    emaDecay: config.ema ? config.ema_decay : undefined,
    stepsPerEpoch,
    seed: config.seed,
    dropout: !config.no_dropout,
    isPrecomputed: config.datasets.some((dataset) => 'photos' in dataset),
    isTrainable,
    auxiliary,
    maskBoxes: config.max_mask_boxes,
    communicator,
    shardOptimizer: config.shard_optimizer,
    gradientExchange: config.gradient_exchange,
    threads: config.threads,
    parts: config.batch_parts,
  };
  if (config.objective === 'all') return Trainer.create(model, config, parameters, runtime, options);
  if (auxiliary === undefined) throw new Error('internal: the backbone alone is trained by its auxiliary loss');
  return new Trainer(parameters, await BackboneStep.load(model, auxiliary, runtime, isTrainable), options, runtime);
};
