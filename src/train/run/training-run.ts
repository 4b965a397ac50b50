import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { MdetrError, messageOf } from '../../errors.ts';
import { textEncoderConfig } from '../../models/index.ts';
import { tokenizerFilesIn } from '../../model-folder/node/model-files.ts';
import type { Runtime } from '../../engine/runtime/runtime.ts';
import { gatherTexts, singleProcess, type Communicator } from '../parallel/communicator.ts';
import type { TrainConfig } from '../config/config.ts';
import { BatchLoader } from '../data/batch-loader.ts';
import type { BatchRequest, MadeBatch } from '../data/batch-maker.ts';
import { writeTrainedModel } from './model-output.ts';
import { bestFolder, changedSettings, lastFolder, prepareRunFolder, stateFile, writeConfig } from './run-folder.ts';
import { LogWindow, RunLog, type LogEntry } from './run-log.ts';
import {
  batchesOfProcess,
  createTrainer,
  findVocabulary,
  openRunData,
  pairsPerStep,
  startingPoint,
  type RunData,
} from './run-start.ts';
import { readRunState, writeRunState, type RunPosition } from './run-state.ts';
import type { StepReport, Trainer } from '../step/trainer.ts';

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

/**
 * Measures the model in a folder. Throws when `signal` tells to stop: then it is done again when the run goes on.
 */
export type Validate = (folder: string, signal?: AbortSignal) => Promise<Validation>;

export interface RunOptions {
  readonly runtime: Runtime;
  /** Go on from the folder's state, if there is one. */
  readonly resume?: boolean;
  /** Threads that make batches; the result does not depend on it. */
  readonly workers?: number | undefined;
  /** Stops after the step at hand and saves, as Ctrl-C does. */
  readonly signal?: AbortSignal;
  readonly observer?: RunObserver;
  readonly validate?: Validate | undefined;
  /** State file of an earlier stage, whose weights this run begins with. */
  readonly startFrom?: string | undefined;
  /** How to repeat the run, for the model card. */
  readonly command?: string;
  /** The processes that share the batches of every step; the numbers are the same for any number of them. */
  readonly communicator?: Communicator;
}

export interface RunSummary {
  /** Steps that are done, all in all. */
  readonly steps: number;
  readonly isDone: boolean;
  /** Of the last step; undefined when there was nothing left to do. */
  readonly loss: number | undefined;
  readonly skippedRows: number;
  /** The best validation, where there was one. */
  readonly best: RunPosition['best'];
}

/**
 * Trains a network into `config.output_dir`, from its start or from where it stopped: batches are made ahead on threads,
 * steps are taken, and the state of the run, the model and the record are written so that a kill at any moment costs no
 * more than the steps since the last save.
 *
 * @throws {MdetrError} for data, files and settings that cannot be used, and when the loss is not finite
 */
export const runTraining = async (config: TrainConfig, options: RunOptions): Promise<RunSummary> => {
  const communicator = options.communicator ?? singleProcess;
  batchesOfProcess(config, communicator);
  const before = await prepareRunFolder(config.output_dir, {
    resume: options.resume === true,
    isWriter: communicator.rank === 0,
  });
  const data = openRunData(config);
  try {
    if (before?.position.isDone === true && before.step >= data.totalSteps) {
      const { best, skippedRows } = before.position;
      return { steps: before.step, isDone: true, loss: undefined, skippedRows: skippedRows.length, best };
    }
    const run = await TrainingRun.open(config, options, data, before !== undefined);
    try {
      return await run.train();
    } finally {
      await run.close();
    }
  } finally {
    data.close();
  }
};

/** What a run is made of when it begins or goes on. */
interface RunParts {
  readonly data: RunData;
  readonly trainer: Trainer;
  readonly loader: BatchLoader;
  /** Undefined for processes that leave writing to another one. */
  readonly log: RunLog | undefined;
  readonly tokenizerFiles: readonly string[];
}

class TrainingRun {
  private readonly window = new LogWindow();
  private readonly skipped: Set<number>;
  private best: RunPosition['best'];
  private metrics: Readonly<Record<string, number>>;
  private isValidationDue: boolean;
  private loss: number | undefined;
  private savedStep: number;
  /** In batches of all processes. */
  private readonly position: { epoch: number; batch: number };
  private readonly communicator: Communicator;
  /** Batches of a step that this process takes. */
  private readonly ownBatches: number;
  private readonly secondsBefore: number;
  private readonly startedAt = performance.now();

  private constructor(
    private readonly config: TrainConfig,
    private readonly options: RunOptions,
    private readonly parts: RunParts,
    before: RunPosition | undefined,
  ) {
    this.skipped = new Set(before?.skippedRows);
    this.best = before?.best;
    this.metrics = finiteOf(before?.metrics ?? {});
    this.isValidationDue = before?.isValidationDue === true;
    this.secondsBefore = before?.seconds ?? 0;
    this.savedStep = parts.trainer.steps;
    this.position = this.validPosition(before);
    this.communicator = options.communicator ?? singleProcess;
    this.ownBatches = batchesOfProcess(config, this.communicator);
  }

  static async open(config: TrainConfig, options: RunOptions, data: RunData, goesOn: boolean): Promise<TrainingRun> {
    const { runtime, observer = {}, communicator = singleProcess } = options;
    const folder = config.output_dir;
    const onNote = (text: string): void => observer.onNote?.(text);
    const before = goesOn ? await readRunState(join(folder, stateFile)) : undefined;
    const tokenizer = await findVocabulary(config);
    // A run that goes on has its own values for everything.
    const elsewhere = { load: '', frozen_weights: undefined, backbone_weights: '', text_encoder_weights: '' };
    const initial = goesOn ? { ...config, ...elsewhere } : config;
    const start = await startingPoint(initial, goesOn ? undefined : options.startFrom, onNote);
    const trainer = await createTrainer(config, start, runtime, data.stepsPerEpoch, communicator);
    if (before !== undefined) {
      const changed = changedSettings(before.config, config);
      if (changed.length > 0) onNote(`goes on with other settings than it began with: ${changed.join(', ')}`);
      trainer.restore(before.trainer);
    }
    const log = communicator.rank === 0 ? await openLog(config, before?.position) : undefined;
    if (log?.hasGap === true) onNote(`${folder}: the end of the record is missing, so it has a gap before this step`);
    const loader = new BatchLoader(
      {
        config,
        datasets: data.datasets,
        tokenizer,
        maxTokens: textEncoderConfig(config).max_position_embeddings - 2,
      },
      options.workers ?? config.num_workers,
    );
    const tokenizerFiles = await tokenizerFilesIn(tokenizer);
    return new TrainingRun(config, options, { data, trainer, loader, log, tokenizerFiles }, before?.position);
  }

  private get isStopped(): boolean {
    return this.options.signal?.aborted === true;
  }

  async train(): Promise<RunSummary> {
    const { config } = this;
    const { trainer, loader, data } = this.parts;
    const { stepsPerEpoch, totalSteps } = data;
    const { observer = {} } = this.options;
    observer.onStart?.({ steps: totalSteps, done: trainer.steps, stepsPerEpoch });
    if (this.isValidationDue && trainer.steps < totalSteps) await this.validate();
    const batches = loader.batches(this.requests());
    while (trainer.steps < totalSteps && !(await this.isToStop())) {
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
      const { size } = this.communicator;
      this.window.add(report, {
        dataMs,
        wholeMs: performance.now() - started,
        images: images * size,
        pairs: pairs * size,
      });
      if (steps % config.log_every === 0) this.writeLog();
      if (steps === totalSteps) break;
      if (this.validatesAt(steps, isEpochEnd)) await this.validate();
      if (isEpochEnd || steps % config.save_every === 0) await this.save(false);
    }
    await batches.return(undefined);
    return this.finish();
  }

  /** Whether one of the processes was told to stop: then all end after the same step. */
  private async isToStop(): Promise<boolean> {
    const { communicator, isStopped } = this;
    if (communicator.size === 1) return isStopped;
    const wishes = Float32Array.of(Number(isStopped));
    await communicator.allReduce(wishes);
    return wishes[0]! > 0;
  }

  /** Saves: a whole run after a last validation, a stopped one as it is. */
  private async finish(): Promise<RunSummary> {
    const { steps } = this.parts.trainer;
    const isWhole = steps >= this.parts.data.totalSteps;
    if (isWhole) await this.validate();
    const isDone = isWhole && !this.isValidationDue;
    if (isDone || steps !== this.savedStep || this.isValidationDue) await this.save(isDone);
    return { steps, isDone, loss: this.loss, skippedRows: this.skipped.size, best: this.best };
  }

  async close(): Promise<void> {
    const { log, loader, trainer } = this.parts;
    log?.close();
    await loader.close();
    await trainer.dispose();
  }

  /** With other data or batches than before the epoch may have no such batch any more. */
  private validPosition(before: RunPosition | undefined): { epoch: number; batch: number } {
    const { epoch = 0, batch = 0 } = before ?? {};
    const { accumulate } = this.config;
    const whole = Math.floor(batch / accumulate) * accumulate;
    return whole < this.stepsIn(epoch) * accumulate ? { epoch, batch: whole } : { epoch: epoch + 1, batch: 0 };
  }

  /** This process' batches from where the run stands, epoch after epoch, without end. */
  private *requests(): Generator<BatchRequest> {
    const { seed, accumulate } = this.config;
    const { rank, size } = this.communicator;
    let { epoch, batch } = this.position;
    let steps = this.parts.trainer.steps;
    for (; ; epoch++, batch = 0) {
      // Batches that make no whole step are left out, as those that are not full.
      const count = this.stepsIn(epoch) * accumulate;
      for (; batch < count; batch += accumulate, steps++)
        for (let own = rank; own < accumulate; own += size)
          yield {
            rows: [...this.parts.data.sampler.batch({ epoch, batch: batch + own })],
            key: { seed, epoch, pairsBefore: steps * pairsPerStep(this.config) },
          };
    }
  }

  private stepsIn(epoch: number): number {
    return Math.floor(this.parts.data.sampler.batchesIn(epoch) / this.config.accumulate);
  }

  private async nextBatches(batches: AsyncGenerator<MadeBatch>): Promise<readonly MadeBatch[]> {
    const made: MadeBatch[] = [];
    while (made.length < this.ownBatches) {
      const next = await batches.next();
      if (next.done === true) throw new Error('internal: batches ended before the run');
      made.push(next.value);
    }
    for (const { row, reason } of await this.skippedByAll(made)) this.skip(row, reason);
    return made;
  }

  /** The rows that any process had to leave out of this step. */
  private async skippedByAll(made: readonly MadeBatch[]): Promise<MadeBatch['skipped']> {
    const own = made.flatMap(({ skipped }) => skipped);
    if (this.communicator.size === 1) return own;
    const gathered = await gatherTexts(this.communicator, own.length === 0 ? '' : JSON.stringify(own));
    return gathered.flatMap((text) => JSON.parse(text) as MadeBatch['skipped']);
  }

  private skip(row: number, reason: string): void {
    if (this.skipped.has(row)) return;
    this.skipped.add(row);
    this.parts.log?.skippedRow(this.parts.trainer.steps, row, reason);
    this.options.observer?.onNote?.(`left out: ${reason}`);
  }

  private async step(made: readonly MadeBatch[]): Promise<StepReport> {
    const { trainer } = this.parts;
    const [first, ...others] = made.map(({ batch }) => batch);
    try {
      return await trainer.step(first!, ...others);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      const { output_dir: folder } = this.config;
      const kept =
        this.savedStep > 0
          ? `The state after step ${this.savedStep} is kept in ${folder}: go on from it with --resume, and`
          : `Nothing was saved yet: begin again`;
      throw new MdetrError(
        `step ${trainer.steps + 1}: ${messageOf(error)}. ${kept} with lower rates (--set lr=…), or in another order ` +
          'of the rows (--set seed=…)',
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
    this.parts.log?.training(entry);
    this.options.observer?.onLog?.(entry);
  }

  private get pairsDone(): number {
    return this.parts.trainer.steps * pairsPerStep(this.config);
  }

  private validatesAt(step: number, isEpochEnd: boolean): boolean {
    const { validate_every: every, eval_skip: skip } = this.config;
    if (every !== undefined) return step % every === 0;
    return isEpochEnd && (this.position.epoch - 1) % skip === 0;
  }

  /** Measures the weights that ship; those of the best measurement are kept beside the last ones. */
  private async validate(): Promise<void> {
    const { validate, signal, observer = {} } = this.options;
    const { trainer, log } = this.parts;
    this.isValidationDue = false;
    if (validate === undefined || log === undefined) return;
    this.writeLog();
    const folder = this.config.output_dir;
    await this.writeModel(join(folder, lastFolder));
    let found: Validation;
    try {
      found = await validate(join(folder, lastFolder), signal);
    } catch (error) {
      if (!this.isStopped) throw error;
      this.isValidationDue = true;
      return;
    }
    this.metrics = finiteOf(found.metrics);
    log.validation(trainer.steps, this.position.epoch, this.metrics);
    const isBest = Number.isFinite(found.metric) && (this.best === undefined || found.metric > this.best.metric);
    if (isBest) {
      this.best = { metric: found.metric, step: trainer.steps };
      await this.writeModel(join(folder, bestFolder));
    }
    observer.onValidation?.(this.metrics, isBest);
  }

  private async save(isDone: boolean): Promise<void> {
    this.writeLog();
    const { config, position } = this;
    const { trainer, log } = this.parts;
    if (log === undefined) return;
    await this.writeModel(join(config.output_dir, lastFolder));
    log.flush();
    // Last of all: from here on the run goes on after this step.
    await writeRunState(join(config.output_dir, stateFile), {
      trainer: trainer.state,
      config,
      position: {
        ...position,
        seconds: this.seconds,
        ...log.lengths,
        ...(this.best && { best: this.best }),
        metrics: this.metrics,
        ...(this.isValidationDue && { isValidationDue: true }),
        skippedRows: [...this.skipped],
        isDone,
      },
    });
    this.savedStep = trainer.steps;
  }

  private get seconds(): number {
    return this.secondsBefore + (performance.now() - this.startedAt) / 1000;
  }

  private writeModel(folder: string): Promise<void> {
    const { config, options, position } = this;
    const { trainer, tokenizerFiles } = this.parts;
    return writeTrainedModel(folder, trainer.average ?? trainer.parameters, config, tokenizerFiles, {
      command: options.command ?? 'a program of its own',
      step: trainer.steps,
      epoch: position.epoch,
      pairs: this.pairsDone,
      hours: this.seconds / 3600,
      metrics: this.metrics,
    });
  }
}

/** The settings that the run has, and its record, cut back to where its state was made. */
const openLog = async (config: TrainConfig, before: RunPosition | undefined): Promise<RunLog> => {
  await writeConfig(config.output_dir, config);
  return new RunLog(config.output_dir, before ?? { logBytes: 0, eventBytes: 0 });
};

/** The numbers that are numbers. */
const finiteOf = (metrics: Readonly<Record<string, number | null>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(metrics).filter((entry): entry is [string, number] => Number.isFinite(entry[1] ?? NaN)),
  );
