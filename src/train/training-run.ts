import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { BatchSampler } from '../data/batch-sampler.ts';
import { writeAtomically } from '../checkpoints/index.ts';
import { MdetrError, messageOf } from '../errors.ts';
import { Mdetr, textEncoderConfig } from '../models/index.ts';
import { findTokenizer, resolveModelPath, tokenizerFilesIn } from '../pipeline/model-files.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { BackboneStep } from './backbone-step.ts';
import { singleProcess, type Communicator } from './communicator.ts';
import type { DatasetConfig, TrainConfig } from './config.ts';
import { BatchLoader } from './data/batch-loader.ts';
import type { BatchRequest, MadeBatch } from './data/batch-maker.ts';
import { openSources } from './data/dataset-sources.ts';
import { officialDatasets } from './data/official-datasets.ts';
import { HelperHeads } from './helper-heads.ts';
import { writeTrainedModel } from './model-output.ts';
import { initialParameters, initialValues, loadParameters, trainableBy, type ParameterStore } from './parameters.ts';
import { LogWindow, RunLog, type LogEntry } from './run-log.ts';
import { readRunState, writeRunState, type RunPosition, type RunState } from './run-state.ts';
import { Trainer, type TrainerOptions } from './trainer.ts';

/** Whoever watches a run. */
export interface RunObserver {
  /** Before the first step: all steps, those that are done already. */
  onStart?(run: { readonly steps: number; readonly done: number; readonly stepsPerEpoch: number }): void;
  onStep?(step: number, loss: number): void;
  onLog?(entry: LogEntry): void;
  onValidation?(metrics: Readonly<Record<string, number>>, isBest: boolean): void;
  /** Something that people want to know. */
  onNote?(text: string): void;
}

/** What a validation found: numbers by name, and the one that decides which model is best. */
export interface Validation {
  readonly metrics: Readonly<Record<string, number>>;
  readonly metric: number;
}

export interface RunOptions {
  readonly runtime: Runtime;
  /** Go on from the folder's state, if there is one. */
  readonly resume?: boolean;
  /** Threads that make batches; the result does not depend on it. */
  readonly workers?: number | undefined;
  /** Stops after the step at hand and saves, as Ctrl-C does. */
  readonly signal?: AbortSignal;
  readonly observer?: RunObserver;
  /** Measures the model in a folder. */
  readonly validate?: (folder: string) => Promise<Validation>;
  /** State file of an earlier stage, whose weights this run begins with. */
  readonly startFrom?: string | undefined;
  /** How to repeat the run, for the model card. */
  readonly command?: string;
  readonly communicator?: Communicator;
}

export interface RunSummary {
  /** Steps that are done, all in all. */
  readonly steps: number;
  readonly isDone: boolean;
  /** Of the last step; undefined when there was nothing left to do. */
  readonly loss: number | undefined;
  readonly skippedRows: number;
}

export const stateFile = 'state.safetensors';
const lastFolder = 'last';
const bestFolder = 'best';

/** The folder's state, or undefined where no run has got to one. */
export const findRunState = async (folder: string): Promise<RunState | undefined> => {
  const path = join(folder, stateFile);
  return existsSync(path) ? readRunState(path) : undefined;
};

/**
 * Trains a network into `config.output_dir`, from its start or from where it stopped: batches are made ahead on threads,
 * steps are taken, and the state of the run, the model and the record are written so that a kill at any moment costs no
 * more than the steps since the last save.
 *
 * @throws {MdetrError} for data, files and settings that cannot be used, and when the loss is not finite
 */
export const runTraining = async (config: TrainConfig, options: RunOptions): Promise<RunSummary> => {
  const run = await TrainingRun.open(config, options);
  try {
    return await run.train();
  } finally {
    await run.close();
  }
};

class TrainingRun {
  private readonly window = new LogWindow();
  private readonly skipped: Set<number>;
  private best: RunPosition['best'];
  private lastMetrics: Readonly<Record<string, number>> = {};
  private loss: number | undefined;
  private readonly startedAt = performance.now();

  private constructor(
    private readonly config: TrainConfig,
    private readonly options: RunOptions,
    private readonly trainer: Trainer,
    private readonly sampler: BatchSampler,
    private readonly loader: BatchLoader,
    private readonly log: RunLog | undefined,
    private readonly tokenizerFiles: readonly string[],
    private readonly stepsPerEpoch: number,
    private readonly position: { epoch: number; batch: number; seconds: number },
    before: RunPosition | undefined,
  ) {
    this.skipped = new Set(before?.skippedRows);
    this.best = before?.best;
  }

  static async open(config: TrainConfig, options: RunOptions): Promise<TrainingRun> {
    const { runtime, observer = {}, communicator = singleProcess } = options;
    const folder = config.output_dir;
    if (folder === '') throw new MdetrError('name a folder for the run: --output-dir DIR, or output_dir in the config');
    const before = await prepareFolder(folder, options.resume === true, communicator);

    const datasets = datasetsOf(config);
    const tokenizer = await findVocabulary(config);
    const sources = openSources(datasets, config);
    const sampler = new BatchSampler(sources, {
      batchSize: config.batch_size,
      seed: config.seed,
      shuffle: true,
      dropLast: true,
      rank: communicator.rank,
      worldSize: communicator.size,
      epochChunks: Math.max(0, config.epoch_chunks),
      shapeWindow: config.bucket,
    });
    const stepsPerEpoch = Math.floor(sampler.batchesIn(0) / config.accumulate);
    if (stepsPerEpoch === 0)
      throw new MdetrError(
        `an epoch has ${sampler.batchesIn(0)} batches, fewer than the ${config.accumulate} of a step`,
      );

    const { model, helpers, parameters } = await startingPoint(config, options);
    const trainer = await createTrainer(config, model, helpers, parameters, runtime, stepsPerEpoch, communicator);
    if (before !== undefined) {
      noteChanges(before.config, config, observer);
      trainer.restore(before.trainer);
    }
    const loader = new BatchLoader(
      { config, datasets, tokenizer, maxTokens: textEncoderConfig(config).max_position_embeddings - 2 },
      options.workers ?? config.num_workers,
    );
    const keep = before?.position ?? { logBytes: 0, eventBytes: 0 };
    return new TrainingRun(
      config,
      options,
      trainer,
      sampler,
      loader,
      communicator.rank === 0 ? new RunLog(folder, keep) : undefined,
      await tokenizerFilesIn(tokenizer),
      stepsPerEpoch,
      {
        epoch: before?.position.epoch ?? 0,
        batch: before?.position.batch ?? 0,
        seconds: before?.position.seconds ?? 0,
      },
      before?.position,
    );
  }

  private get totalSteps(): number {
    return this.config.max_steps ?? this.config.epochs * this.stepsPerEpoch;
  }

  /** Image-text pairs that a step of all processes takes. */
  private get pairsPerBatch(): number {
    return this.config.batch_size * this.config.texts_per_image * (this.options.communicator?.size ?? 1);
  }

  async train(): Promise<RunSummary> {
    const { config, trainer, options, totalSteps } = this;
    const { observer = {}, signal } = options;
    observer.onStart?.({ steps: totalSteps, done: trainer.steps, stepsPerEpoch: this.stepsPerEpoch });
    const batches = this.loader.batches(this.requests());
    while (trainer.steps < totalSteps && signal?.aborted !== true) {
      const started = performance.now();
      const made = await this.nextBatches(batches);
      const dataMs = performance.now() - started;
      const report = await this.step(made);
      const isEpochEnd = this.advance();
      this.loss = report.total;
      const { steps } = trainer;
      observer.onStep?.(steps, report.total);
      // Signals and messages of the data threads come in between steps only.
      await setImmediate();
      const images = made.reduce((sum, { batch }) => sum + batch.inputs['image']!.shape[0]!, 0);
      const pairs = made.reduce((sum, { batch }) => sum + batch.ids.length, 0);
      this.window.add(report, { dataMs, wholeMs: performance.now() - started, images, pairs });
      if (steps % config.log_every === 0) this.writeLog();
      const isLast = steps === totalSteps;
      if (this.isValidationDue(isEpochEnd, isLast)) await this.validate();
      if (isEpochEnd || isLast || steps % config.save_every === 0) await this.save(isLast);
    }
    await batches.return(undefined);
    if (trainer.steps < totalSteps) await this.save(false);
    return {
      steps: trainer.steps,
      isDone: trainer.steps >= totalSteps,
      loss: this.loss,
      skippedRows: this.skipped.size,
    };
  }

  async close(): Promise<void> {
    this.log?.close();
    await this.loader.close();
    await this.trainer.dispose();
  }

  /** The batches from where the run stands, epoch after epoch, without end. */
  private *requests(): Generator<BatchRequest> {
    const { seed, accumulate } = this.config;
    let { epoch, batch } = this.position;
    let done = this.trainer.steps * accumulate;
    for (; ; epoch++, batch = 0) {
      // Batches that make no whole step are left out, as those that are not full.
      const count = this.stepsIn(epoch) * accumulate;
      for (; batch < count; batch++, done++)
        yield {
          rows: [...this.sampler.batch({ epoch, batch })],
          draw: { seed, epoch, pairsBefore: done * this.pairsPerBatch },
        };
    }
  }

  private stepsIn(epoch: number): number {
    return Math.floor(this.sampler.batchesIn(epoch) / this.config.accumulate);
  }

  private async nextBatches(batches: AsyncGenerator<MadeBatch>): Promise<readonly MadeBatch[]> {
    const made: MadeBatch[] = [];
    while (made.length < this.config.accumulate) {
      const next = await batches.next();
      if (next.done === true) throw new Error('internal: batches ended before the run');
      made.push(next.value);
      for (const { row, reason } of next.value.skipped) this.skip(row, reason);
    }
    return made;
  }

  private skip(row: number, reason: string): void {
    if (this.skipped.has(row)) return;
    this.skipped.add(row);
    this.log?.skippedRow(this.trainer.steps, row, reason);
    this.options.observer?.onNote?.(`left out: ${reason}`);
  }

  private async step(made: readonly MadeBatch[]) {
    const [first, ...others] = made.map(({ batch }) => batch);
    try {
      return await this.trainer.step(first!, ...others);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      throw new MdetrError(
        `step ${this.trainer.steps}: ${messageOf(error)}. The last good state is kept in ${this.config.output_dir}: ` +
          'go on from it with --resume, for instance with a lower rate (--set lr=…)',
        { cause: error },
      );
    }
  }

  /** Counts the step's batches. True at the end of an epoch. */
  private advance(): boolean {
    const { position } = this;
    position.batch += this.config.accumulate;
    if (position.batch < this.stepsIn(position.epoch) * this.config.accumulate) return false;
    position.epoch++;
    position.batch = 0;
    return true;
  }

  private writeLog(): void {
    if (this.window.isEmpty) return;
    const entry = this.window.take(this.position.epoch, this.pairsDone);
    this.log?.training(entry);
    this.options.observer?.onLog?.(entry);
  }

  private get pairsDone(): number {
    return this.trainer.steps * this.config.accumulate * this.pairsPerBatch;
  }

  private isValidationDue(isEpochEnd: boolean, isLast: boolean): boolean {
    const { config, options, trainer } = this;
    if (options.validate === undefined || this.log === undefined) return false;
    if (isLast) return true;
    if (config.validate_every !== undefined) return trainer.steps % config.validate_every === 0;
    return isEpochEnd && (this.position.epoch - 1) % config.eval_skip === 0;
  }

  private async validate(): Promise<void> {
    this.writeLog();
    const folder = this.config.output_dir;
    await this.writeModel(join(folder, lastFolder));
    const { metrics, metric } = await this.options.validate!(join(folder, lastFolder));
    this.lastMetrics = metrics;
    this.log?.validation(this.trainer.steps, this.position.epoch, metrics);
    const isBest = this.best === undefined || metric > this.best.metric;
    if (isBest) {
      this.best = { metric, step: this.trainer.steps };
      await this.writeModel(join(folder, bestFolder));
    }
    this.options.observer?.onValidation?.(metrics, isBest);
  }

  private async save(isDone: boolean): Promise<void> {
    this.writeLog();
    if (this.log === undefined) return;
    const { config, trainer, position } = this;
    await this.writeModel(join(config.output_dir, lastFolder));
    // Last of all: from here on the run goes on after this step.
    await writeRunState(join(config.output_dir, stateFile), {
      trainer: trainer.state,
      config: config,
      position: {
        epoch: position.epoch,
        batch: position.batch,
        seconds: this.seconds,
        ...this.log.lengths,
        ...(this.best && { best: this.best }),
        skippedRows: [...this.skipped],
        isDone,
      },
    });
  }

  private get seconds(): number {
    return this.position.seconds + (performance.now() - this.startedAt) / 1000;
  }

  private writeModel(folder: string): Promise<void> {
    const { trainer, config, options, position } = this;
    return writeTrainedModel(folder, trainer.average ?? trainer.parameters, config, this.tokenizerFiles, {
      command: options.command ?? 'a program of its own, with Trainer',
      step: trainer.steps,
      epoch: position.epoch,
      pairs: this.pairsDone,
      hours: this.seconds / 3600,
      metrics: this.lastMetrics,
    });
  }
}

/** Makes the folder, or finds the state in it; a run that is there is not overwritten. */
const prepareFolder = async (
  folder: string,
  resume: boolean,
  { rank }: Communicator,
): Promise<RunState | undefined> => {
  const before = await findRunState(folder);
  if (before !== undefined && !resume)
    throw new MdetrError(
      `${folder}: holds a run already (step ${before.trainer.step}): go on with --resume, or name another folder`,
    );
  if (rank !== 0) return before;
  try {
    await mkdir(folder, { recursive: true });
    // What a kill left half written.
    for (const name of await readdir(folder))
      if (name.endsWith('.tmp')) await rm(join(folder, name), { recursive: true });
  } catch (error) {
    throw new MdetrError(`${folder}: no folder for a run (${messageOf(error)})`, { cause: error });
  }
  return before;
};

/** Our own list wins over official names. */
const datasetsOf = (config: TrainConfig): readonly DatasetConfig[] => {
  const datasets = config.datasets.length > 0 ? config.datasets : officialDatasets(config, 'train');
  if (datasets.length === 0)
    throw new MdetrError('there is nothing to train on: name "datasets" or "combine_datasets"');
  return datasets;
};

const findVocabulary = async (config: TrainConfig): Promise<string> => {
  if (config.tokenizer !== undefined) return resolveModelPath(config.tokenizer);
  const from = config.load === '' ? '.' : await resolveModelPath(config.load);
  return findTokenizer(from, config.text_encoder_type);
};

const startingPoint = async (
  config: TrainConfig,
  { startFrom, observer }: RunOptions,
): Promise<{ model: Mdetr; helpers: HelperHeads | undefined; parameters: ParameterStore }> => {
  const model = new Mdetr(config);
  const seed = config.init_seed ?? config.seed;
  const parameters = initialParameters(model, seed);
  const weights = {
    encoder: config.objective === 'all' ? config.encoder_helper_loss : 0,
    backbone: config.backbone_helper_loss,
  };
  const helpers =
    weights.encoder + weights.backbone === 0 ? undefined : new HelperHeads(config, model.backboneChannels, weights);
  if (helpers !== undefined)
    for (const [name, value] of initialValues(helpers.registry.specs, seed)) parameters.set(name, value);
  if (startFrom !== undefined) {
    const { trainer } = await readRunState(startFrom);
    for (const [name, value] of trainer.average ?? trainer.parameters)
      takeOver(parameters, name, value.data as Float32Array);
    for (const [name, value] of trainer.parameters)
      if (trainer.average?.has(name) !== true) takeOver(parameters, name, value.data as Float32Array);
  }
  for (const path of [config.frozen_weights, config.load]) {
    if (path === undefined || path === '') continue;
    const { text } = await loadParameters(parameters, path);
    observer?.onNote?.(text);
  }
  return { model, helpers, parameters };
};

/** A value of an earlier stage, where this stage has the same parameter. */
const takeOver = (parameters: ParameterStore, name: string, data: Float32Array): void => {
  const own = parameters.get(name);
  if (own?.data.length === data.length) (own.data as Float32Array).set(data);
};

const createTrainer = async (
  config: TrainConfig,
  model: Mdetr,
  helpers: HelperHeads | undefined,
  parameters: ParameterStore,
  runtime: Runtime,
  stepsPerEpoch: number,
  communicator: Communicator,
): Promise<Trainer> => {
  const decays = (name: string): boolean => parameters.get(name)!.shape.length > 1;
  const options: TrainerOptions = {
    schedule: config,
    ratesSet: config.rates_set,
    optimizer: {
      optimizer: config.optimizer,
      weight_decay: config.weight_decay,
      ...(config.decays === 'matrices' ? { decays } : {}),
    },
    clipMaxNorm: config.clip_max_norm,
    ...(config.ema ? { emaDecay: config.ema_decay } : {}),
    stepsPerEpoch,
    seed: config.seed,
    dropout: !config.no_dropout,
    isTrainable: trainableBy(model, config),
    ...(helpers === undefined ? {} : { helpers }),
    maskBoxes: config.mask_boxes,
    communicator,
  };
  if (config.objective === 'all') return Trainer.create(model, config, parameters, runtime, options);
  if (helpers === undefined) throw new Error('internal: the backbone alone is trained by its helper loss');
  const step = await BackboneStep.load(model, helpers, runtime, options.isTrainable!);
  return new Trainer(parameters, step, options);
};

/** Settings that may change between runs without a word. */
const silent = new Set(['output_dir', 'num_workers', 'threads', 'device', 'log_every', 'save_every']);

const noteChanges = (before: RunState['config'], now: TrainConfig, observer: RunObserver): void => {
  const values = now as unknown as Record<string, unknown>;
  const changed = [...new Set([...Object.keys(before), ...Object.keys(values)])].filter(
    (key) => !silent.has(key) && JSON.stringify(before[key]) !== JSON.stringify(values[key]),
  );
  if (changed.length > 0) observer.onNote?.(`goes on with other settings than it began with: ${changed.join(', ')}`);
};

/** Writes the settings that a run has, complete. */
export const writeConfig = (folder: string, config: TrainConfig): Promise<void> =>
  writeAtomically(join(folder, 'config.json'), (sink) =>
    sink.write(new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`)),
  );
