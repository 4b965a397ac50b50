import { MdetrError } from '../../errors.ts';
import { textEncoderConfig, type ModelConfig } from '../../models/index.ts';
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
import { createTrainer, findVocabulary, startingPoint } from './run-start.ts';
import { openRunData, pairsPerStep } from './run-data.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import type { Trainer } from '../step/trainer.ts';
import type { StepReport } from '../step/trainer-state.ts';

/** Options of `Training.open`. */
export interface OpenTrainingOptions {
  /** Settings that override a config file, as `--set` does: `['lr=1e-5', 'max_steps=100']`. */
  readonly settings?: readonly string[];
  /** Receives messages for the user: loaded weights, old names in the config. */
  readonly onNote?: (text: string) => void;
}

/**
 * A network in training, for a custom loop: it writes nothing but what it is asked to. `runTraining` adds run folder, log,
 * validation and resuming.
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
    /** Settings with defaults filled in. */
    readonly config: TrainConfig,
    /** Weights, moving average, learning rates and optimizer state. */
    readonly trainer: Trainer,
    private readonly tokenizer: Tokenizer,
    private readonly tokenizerPath: string,
    /** Steps of an epoch of the config's data, which the schedule counts. */
    readonly stepsPerEpoch: number,
    /** Number of steps of the schedule. */
    readonly totalSteps: number,
  ) {}

  /**
   * Opens the training of a config with a single training stage. A config without datasets is for batches made by `batchOf`
   * and must set `max_steps`, which the learning rates are scheduled for.
   *
   * @param config path of a config file, or its values
   * @throws {MdetrError} for settings, files and weights that cannot be used
   */
  static async open(config: string | ConfigValues, options: OpenTrainingOptions = {}): Promise<Training> {
    const { settings = [], onNote = () => undefined } = options;
    const values = await valuesOf(config, settings, onNote);
    const source = typeof config === 'string' ? config : 'config';
    const parsed = parseTrainConfig(values, source, onNote);
    const tokenizerPath = await findVocabulary(parsed);
    const tokenizer = await loadTokenizer(tokenizerPath, { maxTokens: maxTokensOf(parsed) });
    const { stepsPerEpoch, totalSteps } = stepsOf(parsed);
    const start = await startingPoint(parsed, undefined, onNote);
    const runtime = await createRuntime({
      device: parsed.device,
      threads: parsed.threads,
      strictDevice: parsed.strict_device,
    });
    const trainer = await createTrainer(parsed, start, runtime, stepsPerEpoch, singleProcess);
    return new Training(parsed, trainer, tokenizer, tokenizerPath, stepsPerEpoch, totalSteps);
  }

  /** Trains one step on a batch, or on several batches whose gradients are averaged. */
  step(...batches: readonly [TrainBatch, ...TrainBatch[]]): Promise<StepReport> {
    return this.trainer.step(...batches);
  }

  /**
   * Batches of the config's datasets, prepared ahead on threads, epoch after epoch without end: break out of the loop to
   * stop. They depend on the seed and the number of steps done, so a new loop continues where the last one stopped.
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

  /**
   * Makes a batch of images and captions.
   *
   *     training.batchOf([{ image: 'a.jpg', caption: 'a dog', boxes: [{ box: [10, 20, 80, 90], phrase: 'a dog' }] }]);
   *
   * @throws {MdetrError} naming the sample and the field
   */
  batchOf(samples: readonly TrainingSample[]): Promise<TrainBatch> {
    return batchOfSamples(samples, this.tokenizer, this.config);
  }

  /** Writes the model as a folder for `MDETR.fromPretrained`: the moving average of the weights if there is one. */
  async saveModel(folder: string): Promise<void> {
    const { trainer, config } = this;
    const weights = trainer.average ?? trainer.parameters;
    await writeTrainedModel(folder, weights, config, await tokenizerFilesIn(this.tokenizerPath), {
      command: 'a program, with Training',
      step: trainer.steps,
      epoch: Math.floor(trainer.steps / this.stepsPerEpoch),
      pairs: trainer.steps * pairsPerStep(config),
      hours: undefined,
      metrics: {},
    });
  }

  /** Frees programs and threads. */
  async dispose(): Promise<void> {
    await this.loader?.close();
    await this.trainer.dispose();
  }
}

const valuesOf = async (
  config: string | ConfigValues,
  settings: readonly string[],
  onNote: (text: string) => void,
): Promise<ConfigValues> => {
  if (typeof config !== 'string') {
    if (settings.length > 0) throw new MdetrError('settings override a config file; change the values instead');
    return withLoadedModel(config);
  }
  const { stages, notes } = await readConfigFile(await findConfig(config), settings);
  for (const note of notes) onNote(`${config}: ${note}`);
  const [first, second] = stages;
  if (second !== undefined)
    throw new MdetrError(
      `${config}: has several training stages; Training trains one: open it with the values of that stage`,
    );
  return withLoadedModel(first!.values);
};

const maxTokensOf = (config: ModelConfig): number => textEncoderConfig(config).max_position_embeddings - 2;

const stepsOf = (config: Parameters<typeof openRunData>[0]): { stepsPerEpoch: number; totalSteps: number } => {
  const hasData = config.datasets.length > 0 || config.combine_datasets.length > 0;
  if (!hasData) {
    if (config.max_steps === undefined)
      throw new MdetrError(
        'a config without datasets must set max_steps, the number of steps that the learning rates are scheduled for',
      );
    return { stepsPerEpoch: config.max_steps, totalSteps: config.max_steps };
  }
  const data = openRunData(config);
  data.close();
  return { stepsPerEpoch: data.stepsPerEpoch, totalSteps: data.totalSteps };
};
