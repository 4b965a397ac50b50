import { MdetrError } from '../../errors.ts';
import { textEncoderConfig } from '../../models/index.ts';
import { tokenizerFilesIn } from '../../model-folder/node/model-files.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import type { Tokenizer } from '../../text/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { singleProcess } from '../parallel/communicator.ts';
import { findConfig, readConfigFile, withLoadedModel, type ConfigValues } from '../config/config-file.ts';
import { parseTrainConfig, type TrainConfig } from '../config/config.ts';
import { BatchLoader } from '../data/batch-loader.ts';
import type { BatchRequest } from '../data/batch-maker.ts';
import { writeTrainedModel } from './model-output.ts';
import { batchOfSamples, type TrainingSample } from '../data/own-samples.ts';
import { createTrainer, findVocabulary, openRunData, pairsPerStep, startingPoint } from './run-start.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import type { StepReport, Trainer } from '../step/trainer.ts';

export interface OpenTrainingOptions {
  /** As on the command line: `['lr=1e-5', 'max_steps=100']`. */
  readonly settings?: readonly string[];
  /** What was loaded, for people. */
  readonly onNote?: (text: string) => void;
}

/**
 * A network in training, for a loop of one's own: no folder, no record, no saving but what one asks for. `runTraining`
 * has all of that.
 *
 *     const training = await Training.open('examples/finetune/config.json');
 *     for await (const batch of training.batches()) {
 *       const { step, total } = await training.step(batch);
 *       if (step + 1 === training.totalSteps) break;
 *     }
 *     await training.saveModel('my-model');
 *     await training.dispose();
 */
export class Training {
  private loader: BatchLoader | undefined;

  private constructor(
    readonly config: TrainConfig,
    /** Weights, moving average, learning rates and state. */
    readonly trainer: Trainer,
    private readonly tokenizer: Tokenizer,
    private readonly tokenizerPath: string,
    /** Of the config's data; the schedule counts by them. */
    readonly stepsPerEpoch: number,
    readonly totalSteps: number,
  ) {}

  /**
   * Loads what a config says: a file, or its values. A config without data is for batches of one's own
   * (`batchOf`): it must say `max_steps`.
   *
   * @throws {MdetrError} for what cannot be used, naming it
   */
  static async open(config: string | ConfigValues, options: OpenTrainingOptions = {}): Promise<Training> {
    const parsed = parseTrainConfig(
      await valuesOf(config, options.settings),
      typeof config === 'string' ? config : 'config',
    );
    const tokenizerPath = await findVocabulary(parsed);
    const tokenizer = await loadTokenizer(tokenizerPath, { maxTokens: maxTokensOf(parsed) });
    const { stepsPerEpoch, totalSteps } = stepsOf(parsed);
    const start = await startingPoint(parsed, undefined, options.onNote ?? (() => undefined));
    const runtime = await createRuntime({
      device: parsed.device,
      ...(parsed.threads === undefined ? {} : { threads: parsed.threads }),
    });
    const trainer = await createTrainer(parsed, start, runtime, stepsPerEpoch, singleProcess);
    return new Training(parsed, trainer, tokenizer, tokenizerPath, stepsPerEpoch, totalSteps);
  }

  /** One step of the official training on a batch, or on several whose gradients are averaged. */
  step(...batches: readonly [TrainBatch, ...TrainBatch[]]): Promise<StepReport> {
    return this.trainer.step(...batches);
  }

  /**
   * Batches of the config's data, made ahead on threads, epoch after epoch without end: leave the loop to stop. They
   * depend on the seed and on how many steps are done, so a loop that is entered again goes on where it was left.
   */
  async *batches(): AsyncGenerator<TrainBatch> {
    const { config } = this;
    const data = openRunData(config);
    this.loader ??= new BatchLoader(
      { config, datasets: data.datasets, tokenizer: this.tokenizerPath, maxTokens: maxTokensOf(config) },
      config.num_workers,
    );
    const from = this.trainer.steps;
    const requests = function* (): Generator<BatchRequest> {
      const perEpoch = data.stepsPerEpoch * config.accumulate;
      for (let done = from * config.accumulate; ; done++) {
        const epoch = Math.floor(done / perEpoch);
        yield {
          rows: [...data.sampler.batch({ epoch, batch: done % perEpoch })],
          key: { seed: config.seed, epoch, pairsBefore: Math.floor(done / config.accumulate) * pairsPerStep(config) },
        };
      }
    };
    try {
      for await (const { batch } of this.loader.batches(requests())) yield batch;
    } finally {
      data.close();
    }
  }

  /** A batch of one's own pictures and texts. Throws `MdetrError` naming the sample and what is wrong with it. */
  batchOf(samples: readonly TrainingSample[]): Promise<TrainBatch> {
    return batchOfSamples(samples, this.tokenizer, this.config);
  }

  /** Writes the model as a folder for `MDETR.fromPretrained`: the moving average where there is one. */
  async saveModel(folder: string): Promise<void> {
    const { trainer, config } = this;
    const weights = trainer.average ?? trainer.parameters;
    await writeTrainedModel(folder, weights, config, await tokenizerFilesIn(this.tokenizerPath), {
      command: 'a program of its own, with Training',
      step: trainer.steps,
      epoch: Math.floor(trainer.steps / this.stepsPerEpoch),
      pairs: trainer.steps * pairsPerStep(config),
      hours: undefined,
      metrics: {},
    });
  }

  async dispose(): Promise<void> {
    await this.loader?.close();
    await this.trainer.dispose();
  }
}

const valuesOf = async (config: string | ConfigValues, settings: readonly string[] = []): Promise<ConfigValues> => {
  if (typeof config !== 'string') {
    if (settings.length > 0) throw new MdetrError('settings go with a config file; change the values instead');
    return withLoadedModel(config);
  }
  const { stages } = await readConfigFile(await findConfig(config), settings);
  const [first, second] = stages;
  if (second !== undefined)
    throw new MdetrError(`${config}: has stages; a loop of one's own trains one: open it with the values of that one`);
  return withLoadedModel(first!.values);
};

const maxTokensOf = (config: TrainConfig): number => textEncoderConfig(config).max_position_embeddings - 2;

const stepsOf = (config: TrainConfig): { stepsPerEpoch: number; totalSteps: number } => {
  const hasData = config.datasets.length > 0 || config.combine_datasets.length > 0;
  if (!hasData) {
    if (config.max_steps === undefined)
      throw new MdetrError(
        'a config without data must say how many steps the learning rates are planned for: max_steps',
      );
    return { stepsPerEpoch: config.max_steps, totalSteps: config.max_steps };
  }
  const data = openRunData(config);
  data.close();
  return { stepsPerEpoch: data.stepsPerEpoch, totalSteps: data.totalSteps };
};
