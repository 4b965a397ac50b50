import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Runtime } from '../../engine/runtime/runtime.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import { tokenizerFilesIn } from '../../model-folder/node/model-files.ts';
import { textEncoderConfig } from '../../models/index.ts';
import type { TrainConfig } from '../config/config.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import { BatchLoader } from '../data/batch-loader.ts';
import type { MadeBatch } from '../data/batch-maker.ts';
import { singleProcess, type Communicator } from '../parallel/communicator.ts';
import type { Trainer } from '../step/trainer.ts';
import type { StepReport } from '../step/trainer-state.ts';
import { choiceText } from '../step/choose-parts.ts';
import { agree } from './agreement.ts';
import { BatchFeed } from './batch-feed.ts';
import { changedSettings, prepareRunFolder, STATE_FILE } from './run-folder.ts';
import type { RunObserver, RunSummary, ValidateTogether } from './run-observer.ts';
import { isExhausted, RunRecorder } from './run-recorder.ts';
import { createTrainer, vocabularyOfRun, startingPoint } from './run-start.ts';
import { batchesOfProcess, choosesParts, openRunData, type RunData } from './run-data.ts';
import { readRunState } from './run-state.ts';
import { SharedValidation, ValidationStopped } from './shared-validation.ts';

/** Options of one process of a run. */
export interface ProcessOptions {
  readonly runtime: Runtime;
  /** Continue from the folder's state, if there is one. */
  readonly resume?: boolean;
  /** Threads that prepare batches; the result does not depend on it. */
  readonly workers?: number | undefined;
  /** Stops after the current step and saves, as Ctrl-C does. */
  readonly signal?: AbortSignal | undefined;
  readonly observer?: RunObserver;
  readonly validate?: ValidateTogether | undefined;
  /** All processes validate together; otherwise the first one alone. Equal in all processes. */
  readonly sharesValidation?: boolean | undefined;
  /** State file of an earlier training stage, whose weights this run starts from. */
  readonly startFrom?: string | undefined;
  /** Command that repeats the run, for the model card. */
  readonly command?: string | undefined;
  /** The processes that share the batches of every step; the results are the same for any number of them. */
  readonly communicator?: Communicator | undefined;
}

/**
 * Trains one training stage in this process, from its start or from its saved state. Batches are prepared ahead on threads;
 * state, model and log are written so that a kill at any moment costs only the steps since the last save.
 *
 * @throws {MdetrError} for data, files and settings that cannot be used, and when the loss is not finite
 */
export const trainProcess = async (config: TrainConfig, options: ProcessOptions): Promise<RunSummary> => {
  const communicator = options.communicator ?? singleProcess;
  batchesOfProcess(config, communicator);
  const folder = config.output_dir;
  const runFolder = await prepareRunFolder(folder, {
    resume: options.resume === true,
    isWriter: communicator.rank === 0,
  });
  const { before } = runFolder;
  let data: RunData | undefined;
  try {
    data = openRunData(config);
    await agree(communicator, { ...config }, data);
    const isEnd = before !== undefined && (before.step >= data.totalSteps || isExhausted(config, before.position));
    if (before?.position.isDone === true && isEnd) {
      const { best, skippedRows } = before.position;
      return { folder, steps: before.step, isDone: true, loss: undefined, skippedRows: skippedRows.length, best };
    }
    const run = await TrainingRun.open(config, options, data, before !== undefined);
    try {
      return await run.train();
    } finally {
      await run.close();
    }
  } finally {
    data?.close();
    runFolder.release();
  }
};

/** Parts of a run that are opened before the first step. */
interface RunParts {
  readonly data: RunData;
  readonly trainer: Trainer;
  readonly loader: BatchLoader;
  readonly feed: BatchFeed;
  readonly recorder: RunRecorder;
}

/** The training loop. It has the complete config, hands each part the slices it needs, and stores it in the folder. */
class TrainingRun {
  private loss: number | undefined;
  private hasNoted = false;
  /** No validation improved on the best one for long enough; equal in all processes. */
  private isExhausted = false;
  private readonly communicator: Communicator;
  private readonly observer: RunObserver;

  private constructor(
    private readonly config: TrainConfig,
    private readonly options: ProcessOptions,
    private readonly parts: RunParts,
  ) {
    this.communicator = options.communicator ?? singleProcess;
    this.observer = options.observer ?? {};
  }

  static async open(
    config: TrainConfig,
    options: ProcessOptions,
    data: RunData,
    resumes: boolean,
  ): Promise<TrainingRun> {
    const { runtime, observer = {}, communicator = singleProcess } = options;
    const folder = config.output_dir;
    const onNote = (text: string): void => observer.onNote?.(text);
    const before = resumes ? await readRunState(join(folder, STATE_FILE)) : undefined;
    const tokenizer = await vocabularyOfRun(config, resumes);
    // A resumed run has its own values for all parameters.
    const withoutSources = {
      load: '',
      frozen_weights: undefined,
      backbone_weights: '',
      text_encoder_weights: '',
      word_vectors: '',
    };
    const initial = resumes ? { ...config, ...withoutSources } : config;
    const start = await startingPoint(initial, resumes ? undefined : options.startFrom, onNote);
    const batch_parts = config.batch_parts ?? before?.position.batchParts;
    const trainer = await createTrainer({ ...config, batch_parts }, start, runtime, data.stepsPerEpoch, communicator);
    if (before !== undefined) {
      const changed = changedSettings(before.config, config);
      if (changed.length > 0) onNote(`resumed with changed settings: ${changed.join(', ')}`);
      trainer.restore(before.trainer);
    }
    const recorder = await RunRecorder.open(
      config,
      trainer,
      {
        tokenizerFiles: await tokenizerFilesIn(tokenizer),
        command: options.command ?? 'a program, with runTraining',
        isWriter: communicator.rank === 0,
      },
      before?.position,
    );
    if (recorder.hasGap) onNote(`${folder}: the end of the log is missing, so it has a gap before this step`);
    const { datasets } = data;
    const maxTokens = textEncoderConfig(config).max_position_embeddings - 2;
    const loader = new BatchLoader({ config, datasets, tokenizer, maxTokens }, options.workers ?? config.num_workers);
    const feed = new BatchFeed(config, data, loader, communicator, before?.position, trainer.steps);
    return new TrainingRun(config, options, { data, trainer, loader, feed, recorder });
  }

  /** Reports the first of the notes that images give. */
  private noteOnce([note]: readonly string[]): void {
    if (note === undefined || this.hasNoted) return;
    this.hasNoted = true;
    this.observer.onNote?.(`${note}; further images like it are not noted`);
  }

  async train(): Promise<RunSummary> {
    const { config, observer } = this;
    const { trainer, feed, recorder, data } = this.parts;
    const { stepsPerEpoch, totalSteps } = data;
    observer.onStart?.({ steps: totalSteps, done: trainer.steps, stepsPerEpoch });
    const isStartDue = config.validate_start === true && trainer.steps === 0;
    if ((recorder.isValidationDue || isStartDue) && trainer.steps < totalSteps) await this.validate();
    while (trainer.steps < totalSteps && !(await this.isToStop())) {
      const started = performance.now();
      const { made, skipped } = await feed.next();
      for (const { row, reason } of skipped) if (recorder.skipRow(row, reason)) observer.onNote?.(`skipped: ${reason}`);
      this.noteOnce(made.flatMap(({ notes }) => notes));
      const dataMs = performance.now() - started;
      if (trainer.steps === 0 && choosesParts(config, data)) await this.chooseParts(made[0]!.batch);
      const report = await this.step(made);
      const isEpochEnd = feed.advance();
      this.loss = report.total;
      const { steps } = trainer;
      observer.onStep?.(steps, report.total);
      // Signals and messages of the data threads arrive between steps only.
      await setImmediate();
      // Over all processes, whose batches are like those of this one.
      const sum = (count: (batch: MadeBatch['batch']) => number): number =>
        (made.reduce((total, { batch }) => total + count(batch), 0) / made.length) * config.accumulate;
      recorder.add(report, {
        dataMs,
        wholeMs: performance.now() - started,
        images: sum(({ inputs }) => inputs['padding']!.shape[0]!),
        pairs: sum(({ ids }) => ids.length),
      });
      if (steps % config.log_every === 0) this.writeLog();
      if (steps === totalSteps) break;
      if (this.validatesAt(steps, isEpochEnd)) await this.validate();
      if (isEpochEnd || steps % config.save_every === 0) await this.save(false);
    }
    await feed.close();
    return this.finish();
  }

  async close(): Promise<void> {
    const { recorder, loader, trainer } = this.parts;
    recorder.close();
    await loader.close();
    await trainer.dispose();
  }

  private async chooseParts(batch: TrainBatch): Promise<void> {
    const text = choiceText(await this.parts.trainer.chooseParts(batch));
    if (text !== undefined) this.observer.onNote?.(text);
  }

  private get isStopped(): boolean {
    return this.options.signal?.aborted === true;
  }

  /**
   * Whether any of the processes was told to stop, or the one that validates found no improvement for long enough; then all
   * stop after the same step.
   */
  private async isToStop(): Promise<boolean> {
    const { communicator, isStopped } = this;
    this.isExhausted = this.parts.recorder.isExhausted;
    if (communicator.size === 1) return isStopped || this.isExhausted;
    const flags = Float32Array.of(Number(isStopped), Number(this.isExhausted));
    await communicator.allReduce(flags);
    this.isExhausted = flags[1]! > 0;
    return flags[0]! > 0 || this.isExhausted;
  }

  /** Validates a finished run once more and saves; saves a stopped run as it is. */
  private async finish(): Promise<RunSummary> {
    const { trainer, recorder, data } = this.parts;
    const { steps } = trainer;
    const isFinished = steps >= data.totalSteps || this.isExhausted;
    if (isFinished && !this.isExhausted) await this.validate();
    if (this.isExhausted)
      this.observer.onNote?.(
        `step ${steps}: no better validation for ${this.config.patience ?? 0} in a row, so the run ends`,
      );
    const isDone = isFinished && !recorder.isValidationDue;
    if (isDone || steps !== recorder.savedStep || recorder.isValidationDue) await this.save(isDone);
    const { skippedRows, best } = recorder;
    return { folder: this.config.output_dir, steps, isDone, loss: this.loss, skippedRows, best };
  }

  private async step(made: readonly MadeBatch[]): Promise<StepReport> {
    const { trainer, recorder } = this.parts;
    const [first, ...others] = made.map(({ batch }) => batch);
    try {
      return await trainer.step(first!, ...others);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      const { savedStep } = recorder;
      const kept =
        savedStep > 0
          ? `The state after step ${savedStep} is kept in ${this.config.output_dir}: resume it with --resume, and`
          : `Nothing was saved yet: start again`;
      throw new MdetrError(
        `step ${trainer.steps + 1}: ${messageOf(error)}. ${kept} with a lower learning rate (--set lr=…), or with the rows ` +
          'in another order (--set seed=…)',
        { cause: error },
      );
    }
  }

  private validatesAt(step: number, isEpochEnd: boolean): boolean {
    const { validate_every: every, eval_skip: skip } = this.config;
    if (every !== undefined) return step % every === 0;
    return isEpochEnd && (this.parts.feed.epoch - 1) % skip === 0;
  }

  private async validate(): Promise<void> {
    const { validate, signal, sharesValidation } = this.options;
    const { recorder, feed } = this.parts;
    const sharing =
      sharesValidation === true && this.communicator.size > 1 ? new SharedValidation(this.communicator) : undefined;
    recorder.isValidationDue = false;
    if (validate === undefined) return;
    this.writeLog();
    try {
      const found = await recorder.validate(validate, feed.epoch, { signal, sharing });
      if (found !== undefined) this.observer.onValidation?.(found.metrics, found.isBest);
    } catch (error) {
      if (!this.isStopped && !(error instanceof ValidationStopped)) throw error;
      recorder.isValidationDue = true;
    }
  }

  private writeLog(): void {
    const entry = this.parts.recorder.writeLog(this.parts.feed.epoch);
    if (entry !== undefined) this.observer.onLog?.(entry);
  }

  private async save(isDone: boolean): Promise<void> {
    this.writeLog();
    const { trainer, recorder, feed } = this.parts;
    await recorder.save(feed.current, await trainer.gatherState(), isDone);
  }
}
